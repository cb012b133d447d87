"""What a pane does that is not at its prompt, by name."""

from __future__ import annotations

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import PaneNotReady
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.sight.screen import Grid
from pytest_tmuxlife.terminal.typing import tty

CONTINUATION = "continuation prompt"
REFUSED = "refused"
BUSY = "busy"
# So long the rest of an incomplete input has not come: it was all.
_NO_MORE_COMES = 1.0


def not_ready(pane: PaneHandle) -> PaneNotReady:
    """The error for a pane that is not at its prompt, with its screen."""
    grid = pane.camera.screen()
    return lasting(pane, grid) or _error(pane, grid, *_busy(pane))


def lasting(pane: PaneHandle, grid: Grid) -> PaneNotReady | None:
    """The error if only keys end what the pane does: a mode, an input with no end."""
    if grid.mode:
        return _error(
            pane,
            grid,
            grid.mode,
            f"it is in {grid.mode}, which takes keys for itself; leave it first: "
            "cmd('send-keys', '-t', pane.id, '-X', 'cancel')",
        )
    keys = ", ".join(repr(key) for key in pane.launch.cancel)
    way_out = f", or send_key({keys})" if keys else ""
    if pane.channel is not None and pane.channel.refuses:
        return _error(
            pane,
            grid,
            REFUSED,
            f"{pane.program} has refused what was sent (a syntax error?), and keeps it "
            f"in its line; correct it there{way_out}",
        )
    if asks_for_rest(pane, grid) and not _has_unread(pane):
        return _error(
            pane,
            grid,
            CONTINUATION,
            "what was sent ends inside a continuation prompt (an open quote or "
            f"bracket?); send the rest{way_out}",
        )
    return None


def asks_for_rest(pane: PaneHandle, grid: Grid) -> bool:
    """The program waits for the rest of an incomplete input."""
    launch = pane.launch
    if not pane.shell_is_in_foreground or pane.typist.is_unanswered(grid):
        return False
    if launch.continuation is not None:
        return launch.continuation.search(grid.until_cursor) is not None
    if pane.channel is None or launch.house_prompt is None:
        return False
    if not launch.house_prompt.shows_rest:
        pane.channel.drain()
        return pane.channel.asks_for_rest
    return grid.cursor_line.rstrip() == launch.house_prompt.continuation.rstrip()


class LastingState:
    """Tells once a pane is for good where no prompt comes by itself.

    Text that is typed ahead goes through continuation prompts too: what lasts
    is what counts.
    """

    def __init__(self, pane: PaneHandle) -> None:
        self._pane = pane
        self._next_look = Deadline(_NO_MORE_COMES * pane.timeout_scale)
        self._state = ""

    def look(self) -> PaneNotReady | None:
        """Now and then: the error, if it was the same the last time."""
        if not self._next_look.expired:
            return None
        self._next_look = Deadline(_NO_MORE_COMES * self._pane.timeout_scale)
        error = lasting(self._pane, self._pane.camera.screen())
        before, self._state = self._state, error.state if error is not None else ""
        return error if self._state == before else None


def _has_unread(pane: PaneHandle) -> bool:
    modes = tty.modes(pane.terminal)
    return modes is not None and modes.unread > 0


def _busy(pane: PaneHandle) -> tuple[str, str]:
    if pane.shell_is_in_foreground:
        return BUSY, (
            f"something is typed, or still running in {pane.program} itself; "
            "wait_for_prompt() first, or send_key('C-c')"
        )
    running = tty.foreground_name(pane.pid)
    return BUSY, f"{running} is running; wait_for_prompt() first, or send_key('C-c')"


def _error(pane: PaneHandle, grid: Grid, state: str, what: str) -> PaneNotReady:
    return PaneNotReady(
        f"pane {pane.id} ({pane.program}) is not at its prompt: {what}\n"
        f"{grid.screen.describe()}",
        pane=pane.id,
        state=state,
    )
