"""What a printed line shows once a terminal has obeyed the controls in it."""

from __future__ import annotations

import re

from pytest_tmuxlife.terminal.sight.width import char_width

# Moves of the cursor to another row, and clears: what follows is another line.
_MOVE = re.compile(r"\x1b\[[0-?]*[ -/]*[ABEFHJdf]|\x1b[78M]|\x1b\[\?1?04[79][hl]")
_CONTROL = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x06\x07\x0b-\x0c\x0e-\x1a\x7f]"
)
# Within the row: forward, back, to a column, erase.
_PIECE = re.compile(
    rf"\x1b\[(?P<count>\d*)(?P<edit>[CDGK])|(?P<control>{_CONTROL})|(?P<char>.)",
    re.DOTALL,
)
# Programs move by 999 to reach the edge: no pane is wider than this.
_LAST_COLUMN = 9999


def plain_lines(text: str, column: int = 0) -> list[str]:
    """What one printed line shows: colours and other controls taken out.

    Of what was written over, the last. A line that moves the cursor to another row is
    several.

    Args:
        text: The line, without its line feed.
        column: Where the cursor was; what stood before that is left out.
    """
    text = text.removesuffix("\r")
    if text.isprintable():
        return [text]
    first, *others = _MOVE.split(text)
    shown = [_Row(column).written(first)]
    shown += [_Row(0).written(piece) for piece in others]
    return shown if len(shown) == 1 else [line for line in shown if line.strip()]


class _Row:
    """One row that is written to: a text for each column.

    That of the second column of a wide character is empty, and so are those before
    the *column* at which it begins.
    """

    def __init__(self, column: int) -> None:
        self._cells = [""] * column
        self._column = column

    def written(self, text: str) -> str:
        """What it shows after *text*."""
        for piece in _PIECE.finditer(text):
            if piece["edit"]:
                self._edit(piece["edit"], int(piece["count"] or 0))
            elif piece["char"] == "\r":
                self._column = 0
            elif piece["char"] == "\b":
                self._column = max(0, self._column - 1)
            elif piece["char"]:
                self._put(piece["char"])
        return "".join(self._cells)

    def _edit(self, what: str, count: int) -> None:
        if what == "C":
            self._go_to(self._column + max(1, count))
        elif what == "D":
            self._go_to(self._column - max(1, count))
        elif what == "G":
            self._go_to(count - 1)
        elif count == 0:
            del self._cells[self._column :]
        elif count == 1:
            end = min(self._column + 1, len(self._cells))
            self._cells[:end] = [" "] * end
        else:
            self._cells.clear()

    def _go_to(self, column: int) -> None:
        # Of a longer line its end is the edge.
        self._column = max(0, min(column, max(_LAST_COLUMN, len(self._cells))))

    def _put(self, char: str) -> None:
        cells, columns = self._cells, char_width(char)
        cells += " " * (self._column - len(cells))
        if columns == 0 and self._column:
            cells[self._column - 1] += char
            return
        end = self._column + columns
        cells[self._column : end] = [char, ""][:columns]
        self._column = end
