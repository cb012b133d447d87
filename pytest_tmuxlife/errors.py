"""The error tree: every error keeps its fields and survives pickling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_tmuxlife.leaks.leak import Leak
    from pytest_tmuxlife.terminal.sight.screen import Screen


class TmuxLifeError(Exception):
    """Base of every error of this package.

    Fields are keyword arguments and stay readable as attributes; the message
    is rendered from them, so a pickled error says the same as the original.
    """

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        for name, value in fields.items():
            setattr(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.fields))

    def __str__(self) -> str:
        return self.message


def _rebuild(
    kind: type[TmuxLifeError], message: str, fields: dict[str, Any]
) -> TmuxLifeError:
    error = kind.__new__(kind)
    TmuxLifeError.__init__(error, message, **fields)
    return error


class TmuxNotFound(TmuxLifeError):
    """No usable tmux: missing, or older than 3.2. ``.reason`` says which."""

    reason: str


class ServerNotRunning(TmuxLifeError):
    """The tmux server is not there: it could not start, or it has ended.

    Or it is there and silent: stopped, or busy. Fields: ``socket_path``, ``stderr``
    (what tmux printed), and ``timeout`` (seconds that it was silent; 0 if it is
    not there).
    """

    socket_path: str
    stderr: str
    timeout: float = 0.0


class ServerStillAlive(TmuxLifeError):
    """The server process outlived the limit given for its end.

    Fields: ``pid``, ``socket_path``, ``timeout`` (seconds).
    """

    pid: int
    socket_path: str
    timeout: float


class PaneDied(TmuxLifeError):
    """The pane's program ended, or the pane was closed, while it was used.

    Fields: ``pane`` (its id), ``program``, ``screen`` (the last text, or "").
    """

    pane: str
    program: str
    screen: str


class PaneNotReady(TmuxLifeError):
    """The pane is not at its prompt. ``.state`` names what it is doing.

    ``busy``; ``continuation prompt``: it asks for the rest of an incomplete
    input; a mode of tmux, as ``copy-mode`` or ``view-mode``; ``unknown prompt``;
    ``piped``: it has a pipe already; ``refused``: a line with a syntax error.
    Others say in words what was found; the page on programs has them all. A program
    that has ended is `PaneDied`.
    """

    pane: str
    state: str


class WaitTimeout(TmuxLifeError):
    """What was waited for did not come.

    Fields: ``pane``, ``pattern``, ``timeout`` (seconds), ``screen``
    (a `Screen`, or None if the tmux server did not answer), ``cursor`` (row, column).
    """

    pane: str
    pattern: str
    timeout: float
    screen: Screen | None
    cursor: tuple[int, int]


class ExpectationFailed(TmuxLifeError, AssertionError):
    """What was asserted of a pane did not become true.

    Fields: ``pane``, ``expected`` (as ``to show 'ready'``), ``timeout`` (seconds),
    ``screen`` (a `Screen`, or None if there is none any more).
    """

    pane: str
    expected: str
    timeout: float
    screen: Screen | None


class CommandTimeout(TmuxLifeError):
    """A command did not end within its limit.

    Fields: ``command``, ``timeout`` (seconds), ``output`` (what it had
    printed by then), ``screen`` (None if the tmux server did not answer).
    """

    command: str
    timeout: float
    output: str
    screen: Screen | None


class CommandFailed(TmuxLifeError):
    """A command ended with a status other than 0.

    Fields: ``command``, ``exit_code``, ``output``.
    """

    command: str
    exit_code: int
    output: str


class SocketPathTooLong(TmuxLifeError):
    """The socket's path does not fit a socket address.

    Fields: ``path``, ``limit`` (bytes that fit), ``excess`` (bytes too many).
    Source: unix(7), sun_path.
    """

    path: str
    limit: int
    excess: int


class ReaperDied(TmuxLifeError):
    """A helper process that holds the tmux servers is gone.

    What it held has been ended by the helpers that remain; the run cannot go
    on, because what it starts from now on could get lost. ``.helper`` says
    which one it was.
    """

    helper: str


class LeakError(TmuxLifeError, AssertionError):
    """Something outlived its test. ``.leaks`` is the list of `Leak`."""

    leaks: Sequence[Leak]
