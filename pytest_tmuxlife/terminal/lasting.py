"""A tmux server that many tests use in turn, and what is on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_tmuxlife.containment import kernel
from pytest_tmuxlife.containment.supervisor import Supervisor
from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.server import Server
from pytest_tmuxlife.terminal.session import Session
from pytest_tmuxlife.terminal.start import starting
from pytest_tmuxlife.terminal.start.making import Beside
from pytest_tmuxlife.terminal.start.options import Options
from pytest_tmuxlife.terminal.tmux.differences import NO_PID, pane_pid

# The name is last: it may hold blanks.
_FORMAT = (
    "#{session_id} #{window_id} #{pane_id} #{pane_pid} #{window_index} #{session_name}"
)
# A teardown has no time for a server that is stuck.
_LIMIT = 2.0


@dataclass(frozen=True, slots=True)
class Item:
    """A session, a window or a pane.

    Attributes:
        kind: Which of these.
        id: As tmux names it: ``$1``, ``@2``, ``%3``.
        within: Id of the session or window that has it, "" for a session.
        name: A session's name; for a window and a pane where it is.
    """

    kind: Literal["session", "window", "pane"]
    id: str
    within: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is on a server at one moment.

    Attributes:
        items: By id, what has others before those.
        pids: Pids of the panes' first processes, by the id of the pane; `NO_PID` of
            one that has ended, where tmux does not tell it.
    """

    items: Mapping[str, Item] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, listing: str) -> Inventory:
        """From the lines that tmux printed."""
        sessions: dict[str, Item] = {}
        windows: dict[str, Item] = {}
        panes: dict[str, Item] = {}
        pids: dict[str, int] = {}
        for line in listing.splitlines():
            session, window, pane, pid, index, name = line.split(" ", 5)
            sessions[session] = Item("session", session, "", name)
            # One that is linked to several sessions counts for the first.
            windows.setdefault(
                window, Item("window", window, session, f"{name}:{index}")
            )
            panes[pane] = Item("pane", pane, window, f"of {windows[window].name}")
            pids[pane] = pane_pid(pid)
        return cls({**sessions, **windows, **panes}, pids)

    @property
    def panes(self) -> dict[int, str]:
        """Ids of the panes by the pid of their first process."""
        return {pid: pane for pane, pid in self.pids.items() if pid != NO_PID}

    @property
    def sessions(self) -> list[Item]:
        """The sessions alone."""
        return [item for item in self.items.values() if item.kind == "session"]

    def beyond(self, other: Inventory) -> list[Item]:
        """What *other* has not; of a new session not its windows, and so on."""
        new = self.items.keys() - other.items.keys()
        return [
            item
            for item in self.items.values()
            if item.id in new and item.within not in new
        ]


class LastingServer(Server):
    """Stays when its last session has gone, and can be started anew.

    Args:
        supervisor: Holds the server's processes.
        made_with: As for `Server`.
    """

    def __init__(self, supervisor: Supervisor, **made_with: Any) -> None:
        self._made_with = made_with
        self._hold(supervisor)
        self._lent = self.options
        self._now: Callable[[], Mapping[str, str]] = dict

    def start(self) -> None:
        """Start it, with ``exit-empty off``, if it does not run yet.

        Raises:
            ServerNotRunning: It could not be started.
        """
        if not self._pid:
            self._start(starting.LASTS)

    def start_anew(self, supervisor: Supervisor) -> None:
        """Become another tmux server; the one before has ended."""
        self.close()
        self._hold(supervisor)
        self.start()

    def _hold(self, supervisor: Supervisor) -> None:
        # Once it has said its pid, its directory is made.
        _ = supervisor.pid
        super().__init__(supervisor, **self._made_with)

    def lend(
        self, options: Options, environment: Callable[[], Mapping[str, str]]
    ) -> None:
        """Give sessions that are made from now on these options.

        Args:
            options: Of the test that has it now.
            environment: Gives what a server that starts now would get: what differs
                from its own is set for each session.

        Raises:
            TmuxLifeError: An option that is fixed since the server's start.
        """
        if options.config is not None:
            raise TmuxLifeError(
                "config is fixed when the shared tmux server starts, before the first "
                "test; a test with a configuration of its own needs tmux_server or "
                "tmux_server_factory",
                option="config",
                where="tmux_shared_server",
            )
        self._lent, self._now = options, environment
        self._client.timeout = options.timeout
        self._directory.timeout = options.timeout

    def _new(
        self,
        name: str | None,
        given: Mapping[str, Any],
        where: str,
        beside: Beside | None = None,
    ) -> tuple[Session, Pane]:
        changed = {
            variable: text
            for variable, text in self._now().items()
            if self._environment.get(variable) != text
        }
        env = {**changed, **self._lent.env}
        self.options = self._lent.updated({"env": env}, "tmux_shared_server")
        return super()._new(name, given, where, beside)

    def ends_within(self, seconds: float) -> bool:
        """Its process exits in that time, or has."""
        return self._pidfd < 0 or kernel.has_exited(self._pidfd, seconds)

    def inventory(self) -> Inventory:
        """What is on it now.

        Raises:
            ServerNotRunning: It has ended, or does not answer.
        """
        answer = self._client.call(["list-panes", "-a", "-F", _FORMAT], timeout=_LIMIT)
        return Inventory.of(answer.stdout.decode("utf-8", "backslashreplace"))

    def remove(self, item: Item) -> None:
        """End a session, window or pane; one that is gone is fine.

        Raises:
            ServerNotRunning: The server has ended, or does not answer.
        """
        self._client.call([f"kill-{item.kind}", "-t", item.id])

    def forget(self, kept: Inventory) -> None:
        """Close the handles of all panes that are not there any more."""
        self._directory.forget(kept.pids)
