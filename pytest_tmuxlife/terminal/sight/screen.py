"""What a pane shows, as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Screen:
    """The visible part of a pane.

    Attributes:
        lines: One text for each row, without trailing blanks.
        cursor: Row and column of the cursor, from 0.
        size: Columns and rows.
    """

    lines: tuple[str, ...]
    cursor: tuple[int, int]
    size: tuple[int, int]

    @property
    def text(self) -> str:
        """The lines up to the last one that is not empty."""
        return "\n".join(self.lines).rstrip("\n")

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and text in self.text

    def __str__(self) -> str:
        return self.text

    def describe(self) -> str:
        """The screen as it is shown in a time-out, indented."""
        columns, rows = self.size
        text = re.sub(r"\n{4,}", "\n\n    [empty lines]\n\n", self.text)
        body = "\n".join("    " + line for line in text.split("\n"))
        return f"  last screen, {columns}x{rows}:\n{body}"


@dataclass(frozen=True, slots=True)
class Grid:
    """One look at a pane: where it stands, and rows of text.

    Rows are counted from the oldest line of the history, so a row keeps its
    number while the screen scrolls. With ``joined`` captures a line that was
    wrapped is one row of text. The alternate screen is that of full-screen
    programs, which keeps nothing of what was shown before. The mode is that of
    tmux, as ``copy-mode``, or "".
    """

    history: int
    cursor_y: int
    cursor_x: int
    columns: int
    rows: int
    dead: bool
    mode: str
    history_limit: int
    is_alternate: bool
    lines: list[str]

    @property
    def cursor_row(self) -> int:
        """The cursor's row, counted from the oldest line."""
        return self.history + self.cursor_y

    @property
    def cursor_line(self) -> str:
        """The row of text that the cursor is in; "" below the last one."""
        return self.lines[self.cursor_y] if self.cursor_y < len(self.lines) else ""

    @property
    def until_cursor(self) -> str:
        """What stands before the cursor in its line; for a look not joined."""
        return self.cursor_line.ljust(self.cursor_x)[: self.cursor_x]

    @property
    def screen(self) -> Screen:
        """As a `Screen`; for a capture of the visible part, not joined."""
        return Screen(
            tuple(line.rstrip() for line in self.lines[: self.rows]),
            (self.cursor_y, self.cursor_x),
            (self.columns, self.rows),
        )
