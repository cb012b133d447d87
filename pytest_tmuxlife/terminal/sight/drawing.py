"""What a terminal shows of the bytes with which a line editor draws a line."""

from __future__ import annotations

import re

from pytest_tmuxlife.terminal.sight.width import char_width

_CSI = r"\x1b\[(?P<number>[0-9]*)(?P<final>[A-DGJKP@])"
_PIECE = re.compile(
    rf"{_CSI}"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # colours and modes
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|(?P<up>\x1bM)"
    r"|(?P<text>[^\x1b])",
    re.DOTALL,
)
_TAB = 8
_NOTHING = " "


class Drawing:
    """Rows of a terminal, as far as line editors make use of them.

    Args:
        columns: Of the terminal.
        shown: What stands in the first row; the cursor is behind it.

    Source: console_codes(4).
    """

    def __init__(self, columns: int, shown: str = "") -> None:
        self._columns = columns
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0
        self.draw(shown)

    @property
    def text(self) -> str:
        """All rows, one behind the other, without line breaks."""
        return "".join(map("".join, self._rows))

    def draw(self, text: str) -> None:
        """Take in what is printed."""
        for piece in _PIECE.finditer(text):
            if piece["text"]:
                self._put(piece["text"])
            elif piece["up"]:
                self._row = max(0, self._row - 1)
            elif piece["final"]:
                self._control(piece["final"], int(piece["number"] or 0))

    def _put(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._down()
        elif char == "\b":
            self._column = max(0, self._column - 1)
        elif char == "\t":
            self._column += _TAB - self._column % _TAB
            self._column = min(self._column, self._columns - 1)
        elif char >= " " and char != "\x7f":
            self._write(char)

    def _write(self, char: str) -> None:
        wide = char_width(char)
        if not wide:
            cells = self._cells()
            if self._column:
                cells[self._column - 1] += char
            return
        if self._column + wide > self._columns:
            self._down()
            self._column = 0
        # The second cell of a wide character holds no text.
        self._cells(wide)[self._column : self._column + wide] = [char, ""][:wide]
        self._column += wide

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append([])

    def _cells(self, more: int = 0) -> list[str]:
        """The cursor's row, which reaches so far beyond it."""
        row = self._rows[self._row]
        row += [_NOTHING] * (self._column + more - len(row))
        return row

    def _control(self, final: str, number: int) -> None:
        count = number or 1
        last = self._columns - 1
        if final == "A":
            self._row = max(0, self._row - count)
        elif final == "B":
            self._row = min(len(self._rows) - 1, self._row + count)
        elif final == "C":
            self._column = min(last, self._column + count)
        elif final == "D":
            self._column = max(0, self._column - count)
        elif final == "G":
            self._column = min(last, count - 1)
        elif final == "@":
            self._cells()[self._column : self._column] = [_NOTHING] * count
        elif final == "P":
            del self._cells()[self._column : self._column + count]
        elif number == 0:
            del self._cells()[self._column :]
            if final == "J":
                del self._rows[self._row + 1 :]
