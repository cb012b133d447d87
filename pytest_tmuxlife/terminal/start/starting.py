"""How a tmux server is started, and the proof that it is ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_tmuxlife.containment import kernel, own, procfs
from pytest_tmuxlife.containment.marks import MARK, is_held
from pytest_tmuxlife.errors import ServerNotRunning
from pytest_tmuxlife.terminal.start.making import quoted

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.supervisor import Supervisor
    from pytest_tmuxlife.terminal.start.options import Options
    from pytest_tmuxlife.terminal.tmux.client import Client

# Zombie, dead, stopped, traced.
_NOT_WELL = ("Z", "X", "T", "t")
_SAYS_ITS_PID = ("display-message", "-p", "#{pid} ")
# Starts a server without a session, that stays when its last one has gone.
LASTS = (
    *("start-server", ";", "set-option", "-s", "exit-empty", "off", ";"),
    *_SAYS_ITS_PID,
)
_AS_USUAL = "set-option -s exit-empty on ; set-hook -gu session-created"
# One that stays until then only if it has never had one.
STAYS_EMPTY = (
    *("start-server", ";", "set-option", "-s", "exit-empty", "off", ";"),
    *("set-hook", "-g", "session-created", _AS_USUAL, ";"),
    *_SAYS_ITS_PID,
)


def environment_of(supervisor: Supervisor, given: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a server that is given those variables."""
    return {**given, "TMUX_TMPDIR": supervisor.directory, MARK: supervisor.mark}


def config_of(options: Options) -> str:
    """The tmux.conf of a server that is started with *options*."""
    columns, rows = options.size
    lines = [
        f"set-option -g history-limit {options.history_limit}",
        f"set-option -g default-size {columns}x{rows}",
    ]
    if options.remain_on_exit:
        lines.append("set-option -gw remain-on-exit on")
    if options.config:
        lines.append(f"source-file {quoted(options.config)}")
    return "".join(f"{line}\n" for line in lines)


def changes(made_with: Options, wanted: Options) -> list[str]:
    """The commands after which a server has the options that another starts with.

    For one that has no session yet.
    """
    commands: list[list[str]] = []
    if made_with.history_limit != wanted.history_limit:
        commands.append(["-g", "history-limit", str(wanted.history_limit)])
    if made_with.size != wanted.size:
        columns, rows = wanted.size
        commands.append(["-g", "default-size", f"{columns}x{rows}"])
    if made_with.remain_on_exit != wanted.remain_on_exit:
        default = ["-guw", "remain-on-exit"]
        remains = ["-gw", "remain-on-exit", "on"]
        commands.append(remains if wanted.remain_on_exit else default)
    words = [word for command in commands for word in ("set-option", *command, ";")]
    return words[:-1]


def check(pid: int, socket_path: str) -> None:
    """A server that waits for its first client is well, as far as one sees from here.

    Raises:
        ServerNotRunning: It has ended or is stopped, or its socket is gone.
    """
    now = procfs.stat(pid)
    if now is None or now.state in _NOT_WELL or not os.path.exists(socket_path):
        raise ServerNotRunning(
            f"tmux server {pid} on {socket_path} has ended, is stopped, or has lost "
            "its socket",
            socket_path=socket_path,
            stderr="",
        )


def identify(line: str, client: Client, supervisor: Supervisor) -> tuple[int, int]:
    """Pid and pidfd of the server that has said its pid at the head of *line*.

    The pidfd is -1 if it has ended already.

    Raises:
        ServerNotRunning: That is no pid, or a process that is none of ours.
    """
    first = line.split(" ", 1)[0].strip()
    if not first.isdigit():
        raise ServerNotRunning(
            f"{client.tmux} did not say its pid, but {line!r}; is it the real tmux?",
            socket_path=client.socket_path,
            stderr="",
        )
    pid = int(first)
    pidfd = kernel.open_pidfd(pid)
    if pidfd is None:
        return pid, -1
    if not is_held(pid, supervisor.pid, supervisor.mark):
        os.close(pidfd)
        raise ServerNotRunning(
            f"{client.tmux} said that the server is process {pid}, which is none of "
            "ours; is it the real tmux?",
            socket_path=client.socket_path,
            stderr="",
        )
    return pid, own.claim(pidfd)
