"""How many columns text takes on a terminal."""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def width(text: str) -> int:
    """Columns of *text*, which has no control characters."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def split_at(text: str, columns: int) -> tuple[str, str]:
    """What stands in the first *columns* columns, and the rest."""
    if text.isascii():
        return text[:columns], text[columns:]
    taken = 0
    for index, char in enumerate(text):
        if taken >= columns and not combining(char):
            return text[:index], text[index:]
        taken += char_width(char)
    return text, ""


def fills_row(lead: int, typed: str, columns: int) -> bool:
    """An echo behind so many columns ends exactly at the right edge."""
    return bool(typed) and _end_of(lead, typed, columns) % columns == 0


def split_glued(
    row: str, lead: int, typed: str, columns: int, *, is_cut: bool = False
) -> tuple[str, str | None]:
    """An echo that fills its last row to the edge, and the output glued to it.

    A line editor wraps there by itself, and tmux then takes the output that
    follows for the rest of the same line. The editor leaves a blank at its
    beginning, which is no output if nothing else stands there.

    Args:
        row: A joined row.
        lead: Columns before the echo: the prompt's.
        typed: What was typed.
        columns: Of the pane.
        is_cut: The row has been cut where the next prompt begins: what is left
            behind the echo is output, be it blank or empty.

    Returns:
        The row without what is glued to it; and that, None if nothing is.
    """
    if not fills_row(lead, typed, columns):
        return row, None
    # Where a wide character did not fit, tmux shows a blank, or nothing.
    for end in (_end_of(lead, typed, columns), lead + width(typed)):
        echo, rest = split_at(row, end)
        if not echo.endswith(typed[-1]):
            continue
        if is_cut:
            return echo, rest
        return (echo, "" if rest == " " else rest) if rest else (row, None)
    return row, None


def _end_of(lead: int, typed: str, columns: int) -> int:
    """The column behind *typed*, counted on through the rows that it takes."""
    if typed.isascii():
        return lead + len(typed)
    column = lead
    for char in typed:
        wide = char_width(char)
        if wide == 2 and column % columns == columns - 1:
            column += 1
        column += wide
    return column


def char_width(char: str) -> int:
    """Columns of one character, which is no control character."""
    if combining(char):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
