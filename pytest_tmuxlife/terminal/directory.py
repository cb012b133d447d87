"""Which panes a server has, and our one handle for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_tmuxlife.errors import ServerNotRunning
from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.programs.channel import PromptChannel
from pytest_tmuxlife.terminal.programs.program import Launch
from pytest_tmuxlife.terminal.start.making import PANE_FORMAT, Beside
from pytest_tmuxlife.terminal.tmux.client import Client
from pytest_tmuxlife.terminal.tmux.differences import NO_PID, pane_pid

if TYPE_CHECKING:
    from pytest_tmuxlife.terminal.tmux.libtmux_bridge import BoundServer


class PaneDirectory:
    """Hands out `Pane` objects, always the same one for the same pane.

    Attributes:
        client: The server's.
        timeout: Seconds for the waits of panes that name none.
        split: Makes a pane beside another one, with options.
    """

    def __init__(
        self,
        client: Client,
        timeout: float,
        split: Callable[[Beside, Mapping[str, Any]], Pane],
    ) -> None:
        self.client = client
        self.timeout = timeout
        self.split = split
        self._known: dict[str, Pane] = {}
        # Handles of programs that respawn-pane has replaced.
        self._replaced: list[Pane] = []
        self._libtmux: BoundServer | None = None

    def enter(
        self,
        line: str,
        launch: Launch | None = None,
        channel: PromptChannel | None = None,
        timeout: float | None = None,
    ) -> tuple[str, Pane]:
        """(session id, pane) of a line in `PANE_FORMAT`."""
        server_pid, session_id, pane_id, word, terminal = line.rstrip("\n").split(
            " ", 4
        )
        pane = self._known.get(pane_id)
        pid = pane_pid(word)
        if pane is None or pid not in (pane.pid, NO_PID):
            if pane is not None:
                self._replaced.append(pane)
            pane = Pane(
                self.client,
                timeout=self.timeout if timeout is None else timeout,
                id=pane_id,
                pid=pid,
                terminal=terminal,
                server_pid=int(server_pid),
                launch=launch,
                channel=channel,
            )
            self._known[pane_id] = pane
        return session_id, pane

    def panes(self, *which: str) -> list[Pane]:
        """Panes that ``list-panes`` with these arguments names.

        Raises:
            ServerNotRunning: The server is there, and does not answer.
        """
        try:
            answer = self.client.call(["list-panes", *which, "-F", PANE_FORMAT])
        except ServerNotRunning as error:
            if error.timeout:
                raise
            return []
        lines = answer.stdout.decode("utf-8", "backslashreplace").splitlines()
        return [self.enter(line)[1] for line in lines]

    def libtmux_server(self) -> BoundServer:
        """The server as libtmux sees it."""
        if self._libtmux is None:
            from pytest_tmuxlife.terminal.tmux.libtmux_bridge import BoundServer

            self._libtmux = BoundServer(self.client)
        return self._libtmux

    def ids(self) -> dict[int, str]:
        """Ids of the panes that were handed out, by pid."""
        panes = (*self._replaced, *self._known.values())
        return {pane.pid: pane.id for pane in panes if pane.pid != NO_PID}

    def forget(self, kept: Mapping[str, int]) -> None:
        """Close the handles of panes that are gone, and remove their files.

        Args:
            kept: The panes that are there, with the pids of their programs, as far
                as tmux tells them.
        """
        known = self._known.values()
        gone = [pane for pane in known if kept.get(pane.id) not in (pane.pid, NO_PID)]
        for pane in (*self._replaced, *gone):
            pane.close()
            pane.launch.remove_files()
        self._replaced.clear()
        for pane in gone:
            del self._known[pane.id]

    def follow_no_more(self) -> None:
        """Close the streams of lines: each has a process in the tmux server."""
        for pane in (*self._replaced, *self._known.values()):
            pane.follow_no_more()

    def close(self) -> None:
        """Close all handles."""
        for pane in (*self._replaced, *self._known.values()):
            pane.close()
        self._replaced.clear()
        self._known.clear()
