"""The error of a wait whose time ran out, with what the pane shows."""

from __future__ import annotations

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import PaneDied, ServerNotRunning, WaitTimeout
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.sight.screen import Screen
from pytest_tmuxlife.terminal.typing import tty


def timed_out(pane: PaneHandle, what: str, deadline: Deadline) -> WaitTimeout:
    """For *what* that did not come.

    Raises:
        PaneDied: There is no pane to show.
        ServerNotRunning: Nor a server.
    """
    screen = pane.screen()
    row, column = screen.cursor
    state = (
        f"alive, at row {row}, column {column}; foreground: "
        f"{tty.foreground_name(pane.pid)}"
    )
    if pane.has_ended:
        state = f"ended, at row {row}, column {column}"
    return _error(pane, what, deadline, state, screen)


def timed_out_anyhow(
    pane: PaneHandle, what: str, deadline: Deadline, state: str
) -> WaitTimeout:
    """The same where the pane may be gone while *what* is waited for.

    Args:
        pane: Whose end is waited for.
        what: Is waited for.
        deadline: Of the wait.
        state: Of the pane, if it cannot be shown.
    """
    try:
        return timed_out(pane, what, deadline)
    except ServerNotRunning as error:
        if error.timeout:
            return unanswered(pane, what, deadline, error)
        return _error(pane, what, deadline, state, None)
    except PaneDied:
        return _error(pane, what, deadline, state, None)


def unanswered(
    pane: PaneHandle, what: str, deadline: Deadline, error: ServerNotRunning
) -> WaitTimeout:
    """For a wait in which the tmux server did not answer."""
    return WaitTimeout(
        f"no {what} on pane {pane.id} in {deadline.elapsed:.3g} s: {error} (is it "
        f"stopped? its pid is {pane.server_pid})",
        pane=pane.id,
        pattern=what,
        timeout=deadline.timeout,
        screen=None,
        cursor=(0, 0),
    )


def _error(
    pane: PaneHandle, what: str, deadline: Deadline, state: str, screen: Screen | None
) -> WaitTimeout:
    lines = [
        f"no {what} on pane {pane.id} in {deadline.timeout:g} s "
        f"({pane.program} {state})"
    ]
    if screen is not None:
        lines.append(screen.describe())
    if pane.typist.recent:
        lines.append("  last sent:")
        lines += [f"    {text!r}" for text in pane.typist.recent]
    return WaitTimeout(
        "\n".join(lines),
        pane=pane.id,
        pattern=what,
        timeout=deadline.timeout,
        screen=screen,
        cursor=screen.cursor if screen is not None else (0, 0),
    )
