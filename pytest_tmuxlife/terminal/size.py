"""Giving a pane another size."""

from __future__ import annotations

from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.terminal.dialogue.dialogue import Dialogue
from pytest_tmuxlife.terminal.start.options import parse_size
from pytest_tmuxlife.terminal.typing import tty


def resize(pane: Dialogue, columns: int, rows: int) -> None:
    """See `Pane.resize`."""
    try:
        wanted = parse_size((columns, rows))
    except ValueError as error:
        raise TmuxLifeError(f"resize to {columns!r}x{rows!r}: {error}") from None
    ask = pane.camera.ask
    count = ask("display-message", "-p", "-t", pane.id, "#{window_panes}").strip()
    kind = "window" if count == "1" else "pane"
    sides = ["-x", str(wanted[0]), "-y", str(wanted[1])]
    ask(f"resize-{kind}", "-t", pane.id, *sides)
    pane.typist.resized()
    given = pane.screen().size
    if given != wanted:
        raise TmuxLifeError(
            f"pane {pane.id} could not get {columns}x{rows}: tmux made it "
            f"{given[0]}x{given[1]}, beside {int(count) - 1} more in its window",
            pane=pane.id,
        )
    # tmux hands a size on to the terminal a moment later.
    pane.wait_until(
        lambda: tty.size(pane.terminal) == wanted or None,
        None,
        f"terminal of {columns}x{rows}",
    )
