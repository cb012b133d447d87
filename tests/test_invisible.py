"""What somebody else sees of a server while we wait on one of its panes: nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from panes import Gate
from program_cases import CASES

from pytest_tmuxlife import Pane, ProcessInfo, Server
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.terminal.start.environment import is_kept

ISOLATION = Path(__file__).parent.parent / "docs" / "explanation" / "isolation.md"
LOOKS = 5
# Not as tmux has it, so that the documented option shows.
pytestmark = [
    pytest.mark.tmux(timeout=60, size=(90, 30)),
    pytest.mark.usefixtures("patient"),
]


def seen(socket_path: str, *command: str, env: dict[str, str]) -> list[str]:
    """Lines that a tmux of somebody else prints."""
    done = subprocess.run(
        ["tmux", "-S", socket_path, *command],
        env=env,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return done.stdout.decode().splitlines()


@pytest.fixture
def look(tmux_server: Server) -> Callable[..., list[str]]:
    def look(*command: str) -> list[str]:
        return seen(tmux_server.socket_path, *command, env=tmux_server.env)

    return look


@pytest.fixture
def bare(tmux_server: Server, tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Looks at a tmux server that nobody has set anything in."""
    path = str(tmp_path / "bare")

    def look(*command: str) -> list[str]:
        return seen(path, *command, env=tmux_server.env)

    look("-f/dev/null", "new-session", "-d", "cat")
    yield look
    look("kill-server")


def documented_options() -> dict[str, str]:
    """Options that always differ from tmux's defaults, with the option they follow."""
    rows = re.findall(
        r"^\| `([\w-]+)` \| `\w+` \| always; the option `(\w+)` \|$",
        ISOLATION.read_text(),
        re.MULTILINE,
    )
    return dict(rows)


# -- while we wait -------------------------------------------------------------------


def wait_for_text(pane: Pane) -> None:
    pane.send_line("cat gate; echo open''ed")
    pane.wait_for_text("opened")


def wait_for_prompt(pane: Pane) -> None:
    pane.send_line("cat gate")
    pane.wait_for_prompt()


def run(pane: Pane) -> None:
    pane.run("cat gate")


def wait_until_idle(pane: Pane) -> None:
    pane.send_line("cat gate; echo open''ed")
    pane.wait_until_idle(quiet=1.0)


def wait_for_exit(pane: Pane) -> None:
    pane.send_line("exec cat gate")
    pane.wait_for_exit()


@pytest.mark.parametrize(
    "wait", [wait_for_text, wait_for_prompt, run, wait_until_idle, wait_for_exit]
)
def test_nothing_is_seen_of_a_wait(
    tmux_server: Server,
    look: Callable[..., list[str]],
    bare: Callable[..., list[str]],
    gate: Gate,
    wait: Callable[[Pane], None],
) -> None:
    pane = tmux_server.new_session("theirs").pane
    before = {command: look(*command) for command in SETTINGS}
    waiter = threading.Thread(target=wait, args=[pane])
    waiter.start()
    gate.wait_for_reader()
    sessions = "#{session_name} #{session_attached}"
    for _ in range(LOOKS):
        assert look("list-clients") == []
        assert look("list-sessions", "-F", sessions) == ["theirs 0"]
        assert look("list-panes", "-a", "-F", "#{pane_pipe}") == ["0"]
        assert look("list-buffers") == []
    assert {command: look(*command) for command in SETTINGS} == before
    assert look("show-hooks", "-g") == bare("show-hooks", "-g")
    gate.open()
    waiter.join()


SETTINGS = (
    ("show-options", "-g"),
    ("show-options", "-s"),
    ("show-options", "-gw"),
    ("show-options",),
    ("show-options", "-w"),
    ("show-options", "-p"),
    ("show-hooks", "-g"),
    ("show-environment", "-g"),
    ("list-keys",),
)


def test_a_follower_is_seen_as_the_panes_pipe_alone(
    tmux_server: Server, look: Callable[..., list[str]], gate: Gate
) -> None:
    pane = tmux_server.new_session().pane
    before = {command: look(*command) for command in SETTINGS}
    stream = pane.follow()
    pane.send_line("cat gate")
    gate.wait_for_reader()
    assert look("list-panes", "-a", "-F", "#{pane_pipe}") == ["1"]
    assert look("list-clients") == look("list-buffers") == []
    assert {command: look(*command) for command in SETTINGS} == before
    stream.close()
    gate.open()


# -- what a server is started with ---------------------------------------------------


def test_options_that_differ_from_tmuxs_own_are_those_in_the_docs(
    tmux_server: Server,
    tmux_pane: Pane,
    look: Callable[..., list[str]],
    bare: Callable[..., list[str]],
) -> None:
    expected = {
        name: {"history_limit": "50000", "size": "90x30"}[option]
        for name, option in documented_options().items()
    }
    found = set()
    for which in ("-g", "-s", "-gw"):
        found |= set(look("show-options", which)) - set(bare("show-options", which))
    assert found == {f"{name} {value}" for name, value in expected.items()}
    assert look("list-keys") == bare("list-keys")


def test_environment_of_a_server_is_that_in_the_docs(
    tmux_server: Server, tmux_pane: Pane, look: Callable[..., list[str]]
) -> None:
    """Beside what the test has set, which differs from when pytest started."""
    names = {line.partition("=")[0] for line in look("show-environment", "-g")}
    others = {name for name in names if not is_kept(name) and name not in os.environ}
    # What a shell on the way has set, and the server's own.
    assert others - {"PWD", "OLDPWD", "SHLVL", "_"} == {"TMUXLIFE_MARK"}


# -- what the programs in panes start ------------------------------------------------

CHILD = {
    **dict.fromkeys(("bash", "zsh", "dash", "fish"), "cat gate"),
    "python": "import os; _ = os.system('cat gate')",
    "node": "require('child_process').execSync('cat gate', {stdio: 'inherit'}); 0",
    "gdb": "shell cat gate",
    "sqlite": ".shell cat gate",
}
_NOT_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_ours_is_handed_on_by_a_preset(
    tmux_server: Server, gate: Gate, name: str
) -> None:
    """Environment, open descriptors and ignored signals of a child it starts."""
    pane = tmux_server.new_pane(name)
    pane.send_line(CHILD[name])
    gate.wait_for_reader()
    child = next(one for one in pane.processes() if one.name == "cat")
    environment = procfs.read_bytes(f"/proc/{child.pid}/environ") or b""
    names = {word.partition(b"=")[0].decode() for word in environment.split(b"\0")}
    assert {name for name in names if "TMUXLIFE" in name} == {"TMUXLIFE_MARK"}
    # What the program itself was started with.
    assert not names & set(pane.launch.env)
    opened = {fd: to for fd, to in descriptors(child).items() if "gate" not in to}
    assert opened == dict.fromkeys("012", pane.terminal)
    status = (procfs.read_bytes(f"/proc/{child.pid}/status") or b"").decode()
    masks = dict(line.split(":", 1) for line in status.splitlines())
    ignored = int(masks["SigIgn"], 16)
    assert not [one for one in _NOT_IGNORED if ignored >> (one - 1) & 1]
    gate.open()
    pane.wait_for_prompt()


def descriptors(process: ProcessInfo) -> dict[str, str]:
    """Its open descriptors, by number."""
    directory = Path(f"/proc/{process.pid}/fd")
    return {fd.name: os.readlink(fd) for fd in directory.iterdir()}
