"""What a failed assertion on a screen shows."""

from __future__ import annotations

import difflib

from pytest_tmuxlife.artifacts.snapshots import marked_lines
from pytest_tmuxlife.terminal.sight.screen import Screen

# Else pytest cuts the screen off behind it.
_LONGEST_TEXT = 100


def explain(op: str, left: object, right: object) -> list[str] | None:
    """Lines for the report; None if no screen is compared in a way that we know."""
    if op in ("in", "not in") and isinstance(left, str) and isinstance(right, Screen):
        return _looked_for(op, left, right)
    if op in ("==", "!=") and isinstance(left, Screen) and isinstance(right, Screen):
        return _compared(op, left, right)
    return None


def _looked_for(op: str, text: str, screen: Screen) -> list[str]:
    columns, rows = screen.size
    row, column = screen.cursor
    lines = [
        f"{_shortened(text)!r} {op} the screen of {columns}x{rows}, cursor at row "
        f"{row}, column {column}",
        *_drawn(screen),
    ]
    near = difflib.get_close_matches(text, screen.lines, 1) if op == "in" else []
    if text.casefold() in screen.text.casefold() and op == "in":
        lines.append("It is there in other case.")
    elif near:
        lines.append(f"Row {screen.lines.index(near[0])} is like it: {near[0]!r}")
    return lines


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]}...{text[-half:]}"


def _drawn(screen: Screen) -> list[str]:
    return [f"  {line}" for line in screen.text.split("\n")]


def _compared(op: str, left: Screen, right: Screen) -> list[str]:
    lines = [f"screen {op} screen"]
    for what in ("size", "cursor"):
        one, other = getattr(left, what), getattr(right, what)
        if one != other:
            lines.append(f"{what}: {one} and {other}")
    if left.lines != right.lines:
        both = marked_lines(left.text.split("\n"), right.text.split("\n"))
        lines += [f"  {line}".rstrip() for line in both]
    elif len(lines) == 1:
        lines += _drawn(left)
    return lines
