"""What tested code can see of a tmux server and of its pane, as plain data.

Imported by inner tests. What differs from one server to the next anyhow (pids,
times, the number of its directory) is taken out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from pytest_tmuxlife import Pane, Server
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import procfs

# Times and pids, a name with a nonce in it, and who asks. A window is named after its
# program a moment after that has started.
_OF_EACH = re.compile(
    r"(start_time|(pane_)?pid|pane_tty|\w+_(created|activity)|pane_start_command(_list)?"
    r"|window_name|client_\w+)$"
)
_STATUS = ("SigBlk", "SigIgn", "SigCgt", "Umask", "NoNewPrivs", "Seccomp", "Groups")
_SETTLE = 60.0


def of_server(server: Server) -> dict[str, Any]:
    """Of one with or without a session."""
    pid = server.pid
    said = {
        " ".join(words): _said(server, words)
        for words in (
            ["show-options", "-s"],
            ["show-options", "-g"],
            ["show-options", "-gw"],
            ["show-hooks", "-g"],
            ["show-hooks", "-gw"],
            ["show-environment", "-g"],
            ["show-environment", "-gh"],
            ["list-sessions"],
            ["list-clients"],
            ["list-buffers"],
            ["list-keys"],
            ["list-windows", "-a", "-F", "#{session_id} #{window_id} #{pane_id}"],
        )
    }
    return {
        **said,
        "is session leader": _stat(pid).sid == pid == _stat(pid).pgid,
        "parent": _stat(pid).ppid == server.supervisor.pid,
        **_process(server, pid),
        # Its starter hangs up when it has its answer.
        "descriptors": _settled(lambda: _descriptors(server, pid)),
    }


def of_pane(server: Server, pane: Pane) -> dict[str, Any]:
    """Of a session, its pane and the shell in it."""
    target = ["-t", pane.id]
    said = {
        " ".join(words): _said(server, [*words, *target])
        for words in (
            ["show-options"],
            ["show-options", "-w"],
            ["show-options", "-p"],
            ["show-hooks"],
            ["show-environment"],
        )
    }
    formats = _said(server, ["display-message", "-a", "-p", *target])
    return {
        **said,
        "formats": [line for line in formats if not _OF_EACH.match(_name(line))],
        "shown": _settled(lambda: _shown(pane)),
        "size": pane.screen().size,
        "parent": _stat(pane.pid).ppid == server.pid,
        **{f"shell {name}": what for name, what in _process(server, pane.pid).items()},
        "shell descriptors": _settled(lambda: _descriptors(server, pane.pid)),
    }


def _name(line: str) -> str:
    return line.partition("=")[0]


def _said(server: Server, words: list[str]) -> list[str]:
    return [_plain(server, line) for line in server.cmd(*words).stdout]


def _plain(server: Server, text: str) -> str:
    directory = server.supervisor.directory
    text = text.replace(server.supervisor.mark, "MARK").replace(directory, "DIRECTORY")
    text = re.sub(r"\b\d{10,}\b", "TIME", text)
    text = re.sub(r"DIRECTORY/tmux-\d+/default,\d+,", "DIRECTORY/SOCKET,PID,", text)
    # The test's own directory.
    text = re.sub(r"/(test_\w+|runpytest-)\d+", "/TEST", text)
    return re.sub(r"\(created .*?\)", "(created)", text)


def _stat(pid: int) -> procfs.Stat:
    found = procfs.stat(pid)
    assert found is not None
    return found


def _process(server: Server, pid: int) -> dict[str, Any]:
    def read(name: str) -> str:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()

    status = dict(line.split(":\t", 1) for line in read("status").splitlines())
    # tmux overwrites the beginning of its own with its title.
    entries = read("environ").split("\0")
    return {
        "name": read("comm"),
        "limits": read("limits"),
        "oom": read("oom_score_adj"),
        "cwd": _plain(server, os.readlink(f"/proc/{pid}/cwd")),
        "program": os.readlink(f"/proc/{pid}/exe"),
        "environ": sorted(_plain(server, entry) for entry in entries if entry),
        "cgroup is its own": bool(server.supervisor.cgroup)
        == read("cgroup").strip().endswith(server.supervisor.cgroup[-8:] or "\0"),
        **{name: status[name] for name in _STATUS if name in status},
    }


def _descriptors(server: Server, pid: int) -> list[str]:
    links = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
        link = re.sub(r"\[\d+\]|/dev/pts/\d+", "", _plain(server, link))
        # Those that it inherits have their numbers.
        links.append(f"{number} {link}" if int(number) < 3 else link)
    return sorted(links)


def _shown(pane: Pane) -> str:
    return re.sub(r"\[\w+:\d+\]", "[PROMPT]", pane.screen().text)


def _settled(look: Callable[[], Any]) -> Any:
    """What is the same in ten looks on end."""
    deadline = Deadline(_SETTLE)
    found, times = look(), 0
    while times < 10:
        assert not deadline.expired
        pause()
        now = look()
        times = times + 1 if now == found else 0
        found = now
    return found


def pause() -> None:
    """A moment, in which others may go on."""
    import select

    select.select([], [], [], 0.005)
