"""Telling what a program printed from the echo of what was sent to it.

Three rules, on the rows since the last send: a row that begins with one of
our prompts is echo if the rest was ever sent; of other rows the first that
equals a line of this send is its echo, once each; a beginning of an awaited
echo at the very end is an echo half drawn.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pytest_tmuxlife.terminal.sight.anchor import Anchor
from pytest_tmuxlife.terminal.sight.width import split_at, split_glued, width

_CARET = re.compile(r"[\x00-\x1f\x7f]")


def squash(text: str) -> str:
    """The text without blanks and line breaks, control characters as echoed.

    Where a line is wrapped differs from editor to editor.
    """
    if not text.isprintable():
        text = _CARET.sub(_as_echoed, text)
    # A terminal echoes the C-v before a quoted character as "^" and goes back
    # over it, unless the character is a tab.
    return "".join(text.split()).replace("^", "")


def _as_echoed(match: re.Match[str]) -> str:
    char = match.group()
    return char if char.isspace() else chr(ord(char) ^ 0x40)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the last send typed, and where the terminal stood before it.

    Attributes:
        lines: Its lines; none for a key.
        row: The cursor's row before it, counted from the oldest line.
        column: The cursor's column before it.
        history: The history's size before it.
        is_echoed: The terminal or a line editor will echo it.
        on_alternate: A full-screen program had the alternate screen.
        anchor: A prompt by which the row is known if it moves; None without one.
    """

    lines: tuple[str, ...]
    row: int
    column: int
    history: int
    is_echoed: bool
    on_alternate: bool = False
    anchor: Anchor | None = None


@dataclass(slots=True)
class EchoFilter:
    """Takes the echo of one send out of the rows that follow it.

    Attributes:
        sent: The last send.
        ever_sent: Every line sent to the pane, squashed.
        prompt: Any of the prompts that we gave the program, if we did.
        columns: Of the pane.
    """

    sent: Sent
    ever_sent: Collection[str]
    prompt: re.Pattern[str] | None
    columns: int = 80
    _awaited: Lines = field(init=False)
    _ever: Lines | None = None

    def output(self, lines: Sequence[str]) -> list[str]:
        """The rows from the send's own on, without its echo.

        Args:
            lines: Rows of text, the first one being that of the send.
        """
        self._awaited = Lines(
            map(squash, self.sent.lines) if self.sent.is_echoed else ()
        )
        rows = list(lines)
        if rows:
            rows[:1] = self._first_rows(rows[0])
        while rows and not rows[-1].strip():
            rows.pop()
        kept: list[str] = []
        position = 0
        while position < len(rows):
            taken, rest = self._judge(rows, position)
            if rest is not None:
                kept.append(rest)
            position += taken
        return kept

    @property
    def is_complete(self) -> bool:
        """After `output`: each line of the send was seen, or is not echoed."""
        return not self._awaited

    def _first_rows(self, row: str) -> list[str]:
        """The row of the send from its column on, what is glued to it apart."""
        typed = self.sent.lines[-1] if self.sent.lines else ""
        column = self.sent.column
        row, glued = split_glued(row, column, typed, self.columns)
        rest = split_at(row, column)[1]
        return [rest] if glued is None else [rest, glued]

    def _judge(self, rows: Sequence[str], position: int) -> tuple[int, str | None]:
        """How many rows belong together, and what of them is output."""
        row = rows[position]
        prompt = self.prompt.search(row) if self.prompt else None
        if prompt is not None:
            rest = row[prompt.end() :]
            taken = self._match_any(rest, rows, position)
            if not rest.strip() or self._is_drawn_anew(row, rest, rows, position):
                return 1, None
            if taken:
                self._forget(rest, rows, position, taken)
                return taken, None
            return 1, rest
        if not self._awaited and position:
            return 1, row
        echoes = self._awaited.made_of(row, rows, position)
        echo = min(echoes, key=lambda found: found.index, default=None)
        if echo is None:
            is_begun = position == 0 and self._is_drawn_anew(
                " " * self.sent.column + row, row, rows, position
            )
            return 1, None if is_begun else row
        self._awaited.remove(echo.line)
        return echo.taken, None

    def _is_drawn_anew(
        self, row: str, start: str, rows: Sequence[str], position: int
    ) -> bool:
        """The echo that begins in *row* fills it, and begins again in the next one.

        So do editors that draw a line anew when it has reached the edge: what they
        clear at the top of the screen goes into the history.

        Args:
            row: The row, which *start* ends.
            start: What of it was typed.
            rows: Rows of text.
            position: Which of them it is.
        """
        if self.prompt is None or width(row) < self.columns - 1:
            return False
        after = rows[position + 1] if position + 1 < len(rows) else ""
        prompt = self.prompt.match(after)
        if prompt is None:
            return False
        text = squash(start)
        is_repeated = squash(after[prompt.end() :]).startswith(text)
        return is_repeated and any(line.startswith(text) for line in self.ever_sent)

    def _match_any(self, start: str, rows: Sequence[str], position: int) -> int:
        if squash(start) in self.ever_sent:
            return 1
        if self._ever is None:
            self._ever = Lines(self.ever_sent)
        found = self._ever.made_of(start, rows, position)
        return max((line.taken for line in found), default=0)

    def _forget(
        self, start: str, rows: Sequence[str], position: int, taken: int
    ) -> None:
        self._awaited.remove(
            squash(start + "".join(rows[position + 1 : position + taken]))
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A line that some rows make up: which of all it is, and how many rows."""

    index: int
    line: str
    taken: int


class Lines:
    """Many lines, to be found by the rows that they are drawn in.

    Args:
        lines: Squashed; empty ones do not count.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        # Those with the same beginning stand side by side.
        self._sorted = sorted((line, index) for index, line in enumerate(lines) if line)

    def __len__(self) -> int:
        return len(self._sorted)

    def remove(self, line: str) -> None:
        """Take out the first such line, if there is one."""
        at = bisect_left(self._sorted, (line,))
        if at < len(self._sorted) and self._sorted[at][0] == line:
            del self._sorted[at]

    def made_of(
        self, start: str, rows: Sequence[str], position: int
    ) -> Iterator[Found]:
        """The lines that are made up of rows.

        Also those of which all rows that are left are a proper beginning.

        Args:
            start: What of the first row counts.
            rows: Rows of text.
            position: Which of them is the first.
        """
        text = squash(start)
        taken = 1
        low, high = 0, len(self._sorted)
        while text:
            low = bisect_left(self._sorted, (text,), low, high)
            high = bisect_right(
                self._sorted, text, low, high, key=lambda pair: pair[0][: len(text)]
            )
            is_half_drawn = position + taken >= len(rows)
            while low < high and (is_half_drawn or self._sorted[low][0] == text):
                line, index = self._sorted[low]
                yield Found(index, line, taken)
                low += 1
            if low == high:
                return
            text += squash(rows[position + taken])
            taken += 1


def rows_of(line: str, start: str, rows: Sequence[str], position: int) -> int:
    """How many rows make up *line*; 0 if they do not.

    Also all that are left, if they are a proper beginning of it.

    Args:
        line: Squashed, and not empty.
        start: What of the first row counts.
        rows: Rows of text.
        position: Which of them is the first.
    """
    found = Lines([line]).made_of(start, rows, position)
    return next((one.taken for one in found), 0)
