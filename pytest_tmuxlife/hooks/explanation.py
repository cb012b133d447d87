"""What a failed assertion on a screen shows."""

from __future__ import annotations

import difflib

from pytest_tmuxlife.terminal.sight.screen import Screen


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
        f"{text!r} {op} the screen of {columns}x{rows}, cursor at row {row}, column "
        f"{column}",
        *_drawn(screen),
    ]
    near = difflib.get_close_matches(text, screen.lines, 1) if op == "in" else []
    if text.casefold() in screen.text.casefold() and op == "in":
        lines.append("It is there in other case.")
    elif near:
        lines.append(f"Row {screen.lines.index(near[0])} is like it: {near[0]!r}")
    return lines


def _drawn(screen: Screen) -> list[str]:
    return [f"  {line}" for line in screen.text.split("\n")]


def _compared(op: str, left: Screen, right: Screen) -> list[str]:
    lines = [f"screen {op} screen"]
    for what in ("size", "cursor"):
        one, other = getattr(left, what), getattr(right, what)
        if one != other:
            lines.append(f"{what}: {one} and {other}")
    if left.lines != right.lines:
        both = difflib.ndiff(left.text.split("\n"), right.text.split("\n"))
        lines += [f"  {line}".rstrip() for line in both if not line.startswith("?")]
    elif len(lines) == 1:
        lines += _drawn(left)
    return lines
