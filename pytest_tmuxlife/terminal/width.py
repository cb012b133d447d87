"""How many columns text takes on a terminal."""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def width(text: str) -> int:
    """Columns of *text*, which has no control characters."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def split_at(text: str, columns: int) -> tuple[str, str]:
    """What stands in the first *columns* columns, and the rest."""
    if text.isascii():
        return text[:columns], text[columns:]
    taken = 0
    for index, char in enumerate(text):
        if taken >= columns and not combining(char):
            return text[:index], text[index:]
        taken += _char_width(char)
    return text, ""


def split_glued(
    row: str, lead: int, typed: str, columns: int
) -> tuple[str, str | None]:
    """An echo that fills its last row to the edge, and the output glued to it.

    A line editor wraps there by itself, and tmux then takes the output that
    follows for the rest of the same line.

    Args:
        row: A joined row.
        lead: Columns before the echo: the prompt's.
        typed: What was typed.
        columns: Of the pane.

    Returns:
        The row without what is glued to it; and that, None if nothing is.
    """
    edge = _end_of(lead, typed, columns)
    if not typed or edge % columns:
        return row, None
    # Where a wide character did not fit, tmux shows a blank, or nothing.
    for end in (edge, lead + width(typed)):
        echo, rest = split_at(row, end)
        if echo.endswith(typed[-1]):
            return (echo, rest) if rest.strip() else (row, None)
    return row, None


def _end_of(lead: int, typed: str, columns: int) -> int:
    """The column behind *typed*, counted on through the rows that it takes."""
    if typed.isascii():
        return lead + len(typed)
    column = lead
    for char in typed:
        wide = _char_width(char)
        if wide == 2 and column % columns == columns - 1:
            column += 1
        column += wide
    return column


def _char_width(char: str) -> int:
    if combining(char):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
