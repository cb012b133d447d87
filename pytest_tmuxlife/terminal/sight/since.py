"""Where the rows since a send are, though rows were dropped or cleared meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_tmuxlife.terminal.sight.camera import Camera
from pytest_tmuxlife.terminal.sight.echo import Sent
from pytest_tmuxlife.terminal.sight.screen import Grid
from pytest_tmuxlife.terminal.sight.width import width

# Looks until one finds the prompt where the one before saw it: rows may move again.
_LOOKS = 5


def rows_since(camera: Camera, sent: Sent) -> tuple[Sent, Grid]:
    """Look at the rows since *sent*.

    Returns:
        The send, with its row as it counts now; and the look.
    """
    for _ in range(_LOOKS):
        anchor = sent.anchor
        if anchor is None:
            break
        marked, grid = camera.below(sent.row - anchor.above, anchor.above)
        if grid.is_alternate or anchor.token in marked:
            return sent, grid
        sent = _found_again(sent, camera.rows())
    return sent, camera.since(sent.row)


def is_cut(sent: Sent, grid: Grid) -> bool:
    """The send's row is no guide: its screen was cleared, or history was cut."""
    if sent.row > grid.cursor_row:
        return True
    return sent.anchor is None and grid.history < sent.history


def _found_again(sent: Sent, kept: Grid) -> Sent:
    """The send by where its prompt is now, or by what it means that it is gone.

    Args:
        sent: The send, whose prompt is not where it was.
        kept: All rows, as they are.
    """
    anchor = sent.anchor
    if anchor is None or kept.is_alternate:
        return sent
    # Source: tmux, grid_collect_history.
    step = max(1, kept.history_limit // 10)
    row = anchor.row_in(kept.lines, sent.row - anchor.above, step)
    if row is not None:
        row += anchor.above
        history = max(0, sent.history - (sent.row - row))
        return replace(sent, row=row, history=history)
    without = replace(sent, anchor=None)
    if anchor.token in "".join(kept.lines):
        # Only wrapped, in a pane that has become narrow.
        return without
    if not anchor.is_newest_in(kept.lines):
        # Written over, and with it what stood before the send in its own row.
        return without if anchor.above else replace(without, column=0)
    # All before it is gone with it, and what stood between it and the send too,
    # unless that has reached the top of a full history.
    can_be_dropped = kept.history >= kept.history_limit - step
    row = anchor.above if can_be_dropped else 0
    return replace(without, row=row, column=0, history=0)


def row_on_screen(sent: Sent, grid: Grid, begins: Sequence[int]) -> int | None:
    """In which visible row *sent* was typed; None if that is not known.

    Args:
        sent: The send.
        grid: A look at the screen, wrapped lines joined.
        begins: In which row each of those begins.
    """
    if grid.is_alternate != sent.on_alternate:
        return None
    row = sent.row - grid.history
    anchor = sent.anchor
    if anchor is None or row < anchor.above:
        return None if is_cut(sent, grid) or row < 0 else row
    token = anchor.token
    places = [
        begin + width(line[: line.rfind(token)]) // grid.columns
        for begin, line in zip(begins, grid.lines, strict=True)
        if token in line
    ]
    if row - anchor.above in places:
        return row
    return places[-1] + anchor.above if places else None
