"""Whether a pane is there and its program alive, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.errors import PaneDied, ServerNotRunning
from pytest_tmuxlife.terminal.dialogue.exits import ExitStatus, status_of_dead
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.tmux.client import Client
from pytest_tmuxlife.terminal.tmux.differences import NO_PID, pane_pid


@dataclass(frozen=True, slots=True)
class Health:
    """How a pane or a server is, seen just now.

    Attributes:
        state: ``healthy``: the pane is there and its first process alive; the
            server answers. ``dead``: tmux keeps the pane of a process that has ended.
            ``missing``: tmux has no such pane. ``zombie``: the process has ended, and
            tmux has not noticed. ``server-down``: no tmux server. ``hung``: it does
            not answer within the default time limit.
        why: The same in words, with what is known besides.
        exit_status: Of a ``dead`` pane, where tmux tells; else None.
    """

    state: str
    why: str
    exit_status: ExitStatus | None = None

    @property
    def is_healthy(self) -> bool:
        """The state is ``healthy``."""
        return self.state == "healthy"

    def __str__(self) -> str:
        return f"{self.state}: {self.why}"


def of_server(client: Client, pid: int, *, is_running: bool) -> Health:
    """See `Server.health`."""
    if not is_running:
        return Health("server-down", f"tmux server {pid} has ended")
    try:
        client.call(["display-message", "-p", ""])
    except ServerNotRunning as error:
        return Health("hung" if error.timeout else "server-down", str(error))
    return Health("healthy", f"tmux server {pid} answers")


def of_pane(pane: PaneHandle) -> Health:
    """See `Pane.health`."""
    try:
        words = "#{pane_dead} #{pane_pid}"
        answer = pane.camera.ask("display-message", "-p", "-t", pane.id, words)
        if not answer.strip():
            # So tmux answers for a pane that it does not know.
            return Health("missing", f"the tmux server has no pane {pane.id}")
        dead, word = answer.rstrip("\n").split(" ")
        pid = pane_pid(word) or pane.pid
        if dead == "1":
            status = status_of_dead(pane)
            how = f" with {status}" if status is not None else ""
            which = "its process" if pid == NO_PID else f"process {pid}"
            return Health("dead", f"{which} has ended{how}", status)
    except PaneDied:
        return Health("missing", f"the tmux server has no pane {pane.id}")
    except ServerNotRunning as error:
        return Health("hung" if error.timeout else "server-down", str(error))
    now = procfs.stat(pid)
    if now is None or now.is_zombie:
        return Health("zombie", f"process {pid} has ended, and tmux has not noticed")
    return Health("healthy", f"process {pid} ({now.comm}) is alive")
