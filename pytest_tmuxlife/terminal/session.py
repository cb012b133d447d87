"""A tmux session of one of our servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_tmuxlife import arguments
from pytest_tmuxlife.errors import ServerNotRunning, TmuxLifeError
from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.start.making import Beside
from pytest_tmuxlife.terminal.tmux.client import format_proof, literal

if TYPE_CHECKING:
    import libtmux

    from pytest_tmuxlife.terminal.directory import PaneDirectory
    from pytest_tmuxlife.terminal.programs.program import Program
    from pytest_tmuxlife.terminal.tmux.client import Client

_FORBIDDEN_IN_NAMES = ".:\\"


def check_session_name(name: str) -> str:
    """Return *name* if tmux takes it as it is.

    Raises:
        TmuxLifeError: It is no text, or empty, or has a character that tmux would
            replace.

    Source: tmux(1), new-session.
    """
    arguments.text("session name", name)
    if (
        not name
        or not name.isprintable()
        or any(c in name for c in _FORBIDDEN_IN_NAMES)
    ):
        raise TmuxLifeError(
            f"session name {name!r}: must be printable, not empty, and without "
            "'.', ':' and '\\' (tmux replaces them)",
            name=name,
        )
    return name


class Session:
    """One tmux session. Made by `Server.new_session`.

    Attributes:
        id: As tmux names it, ``$1``; never reused by a server.
    """

    def __init__(
        self, directory: PaneDirectory, id: str, made_with: Pane | None = None
    ) -> None:
        self.id = id
        self._directory = directory
        self._made_with = made_with

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Session)
            and other.id == self.id
            and other._directory is self._directory
        )

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def name(self) -> str:
        """Its name now.

        Raises:
            TmuxLifeError: The session is gone.
        """
        query = self._directory.client.query
        return query("display-message", "-p", "-t", self.id, "#{session_name}").rstrip(
            "\n"
        )

    @property
    def client(self) -> Client:
        """Through which its server is talked to."""
        return self._directory.client

    @property
    def panes(self) -> list[Pane]:
        """Its panes, in tmux's order; empty once it is gone.

        Raises:
            ServerNotRunning: The server is there, and does not answer.
        """
        return self._directory.panes("-s", "-t", self.id)

    @property
    def pane(self) -> Pane:
        """The pane that it was made with; once that has ended, its first one.

        Raises:
            TmuxLifeError: The session is gone.
        """
        if self._made_with is not None and not self._made_with.has_ended:
            return self._made_with
        panes = self.panes
        if not panes:
            raise TmuxLifeError(f"session {self.id} is gone", session=self.id)
        return panes[0]

    @property
    def exists(self) -> bool:
        """The server still has it.

        Raises:
            ServerNotRunning: The server is there, and does not answer.
        """
        try:
            answer = self._directory.client.call(["has-session", "-t", self.id])
        except ServerNotRunning as error:
            if error.timeout:
                raise
            return False
        return answer.status == 0

    def split(
        self,
        program: Program | str | Sequence[str] | None = None,
        *,
        below: bool = False,
        beside: Pane | None = None,
        **options: Any,
    ) -> Pane:
        """Start *program* in a new pane of the same window; return that.

        Args:
            program: As for `Server.new_pane`.
            below: Below the other pane, not to its right.
            beside: The pane that gives up half its room; None for `Session.pane`.
            options: As for `Server.new_session`, but for ``size``;
                ``remain_on_exit`` holds for the whole window, ``history_limit`` is
                the session's.

        Raises:
            TmuxLifeError: An option that cannot be, no such program, or no room.
            PaneDied, WaitTimeout: As for `Server.new_session`.
        """
        for option in ("size", "history_limit"):
            if option in options:
                raise TmuxLifeError(
                    f"split: {option} is not the new pane's own; the window's panes "
                    "share it",
                    option=option,
                    where="split",
                )
        if beside is not None and not isinstance(beside, Pane):
            raise arguments.refused("beside", beside, "a Pane")
        if program is not None:
            options["program"] = program
        place = Beside((beside or self.pane).id, below)
        return self._directory.split(place, options)

    def rename(self, name: str) -> None:
        """Give it another name.

        Raises:
            TmuxLifeError: A name that tmux does not take, or one in use.
        """
        check_session_name(name)
        self._directory.client.query(
            "rename-session", "-t", self.id, "--", literal(format_proof(name))
        )

    def kill(self) -> None:
        """End the session; does nothing if it is gone.

        tmux closes its terminals, and the kernel decides who gets SIGHUP:
        what ignores it goes on, and is reported at the end of the test.
        """
        if self.exists:
            self._directory.client.call(["kill-session", "-t", self.id])

    @property
    def libtmux(self) -> libtmux.Session:
        """The same session as libtmux sees it.

        Raises:
            TmuxLifeError: The session is gone.
        """
        sessions = self._directory.libtmux_server().sessions
        found: Any = sessions.get(session_id=self.id, default=None)
        if found is None:
            raise TmuxLifeError(f"session {self.id} is gone", session=self.id)
        return found  # type: ignore[no-any-return]
