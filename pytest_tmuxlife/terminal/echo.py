"""Telling what a program printed from the echo of what was sent to it.

Three rules, on the rows since the last send: a row that begins with one of
our prompts is echo if the rest was ever sent; of other rows the first that
equals a line of this send is its echo, once each; a beginning of an awaited
echo at the very end is an echo half drawn.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pytest_tmuxlife.terminal.width import split_at, split_glued

_CARET = re.compile(r"[\x00-\x1f\x7f]")
# A terminal echoes the C-v before a quoted character as "^" and goes back
# over it, unless the character is a tab.
_DROPPED = re.compile(r"[\s^]+")


def squash(text: str) -> str:
    """The text without blanks and line breaks, control characters as echoed.

    Where a line is wrapped differs from editor to editor.
    """
    return _DROPPED.sub("", _CARET.sub(_as_echoed, text))


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
    """

    lines: tuple[str, ...]
    row: int
    column: int
    history: int
    is_echoed: bool
    on_alternate: bool = False


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
    _awaited: list[str] = field(default_factory=list)

    def output(self, lines: Sequence[str]) -> list[str]:
        """The rows from the send's own on, without its echo.

        Args:
            lines: Rows of text, the first one being that of the send.
        """
        self._awaited = (
            [squash(line) for line in self.sent.lines if squash(line)]
            if self.sent.is_echoed
            else []
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
            taken = self._match_any(rest, rows, position, self.ever_sent)
            if not rest.strip():
                return 1, None
            if taken:
                self._forget(rest, rows, position, taken)
                return taken, None
            return 1, rest
        for awaited in self._awaited:
            taken = rows_of(awaited, row, rows, position)
            if taken:
                self._awaited.remove(awaited)
                return taken, None
        return 1, row

    def _match_any(
        self, start: str, rows: Sequence[str], position: int, lines: Collection[str]
    ) -> int:
        if squash(start) in lines:
            return 1
        return max(
            (rows_of(line, start, rows, position) for line in lines if line), default=0
        )

    def _forget(
        self, start: str, rows: Sequence[str], position: int, taken: int
    ) -> None:
        text = squash(start + "".join(rows[position + 1 : position + taken]))
        if text in self._awaited:
            self._awaited.remove(text)


def rows_of(line: str, start: str, rows: Sequence[str], position: int) -> int:
    """How many rows make up *line*; 0 if they do not.

    Also all that are left, if they are a proper beginning of it.

    Args:
        line: Squashed.
        start: What of the first row counts.
        rows: Rows of text.
        position: Which of them is the first.
    """
    text = squash(start)
    taken = 1
    while True:
        if text == line:
            return taken
        if not text or not line.startswith(text):
            return 0
        if position + taken >= len(rows):
            # Still being drawn.
            return taken
        text += squash(rows[position + taken])
        taken += 1
