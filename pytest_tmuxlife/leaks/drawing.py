"""Drawing a tree as lines: pure text, whatever its depth or breadth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# Where the second column begins, unless the first one is longer.
WIDTH = 38
# Deeper levels are drawn at this depth, else they would leave the terminal.
_DEPTH_SHOWN = 16
_QUIET_SHOWN = 4


@dataclass(slots=True)
class Node:
    """One line of a tree, with what hangs below it.

    Attributes:
        title: The first column.
        state: The second column.
        details: Further lines, indented.
        children: In the order in which they are drawn.
        matters: Worth a line of its own however many siblings it has; so is
            whoever has one that matters below.
    """

    title: str
    state: str
    details: Sequence[str] = ()
    children: list[Node] = field(default_factory=list)
    matters: bool = False


def draw(root: Node) -> list[str]:
    """The lines of a tree; many siblings of no interest are counted only."""
    _mark_ancestors(root)
    lines: list[str] = []
    stack = [(root, "", "", 0)]
    while stack:
        node, lead, below, depth = stack.pop()
        children = _shown(node.children)
        lines.append(f"{lead + node.title:<{WIDTH}}  {node.state}".rstrip())
        bar = below + ("│    " if children else "     ")
        lines += [bar + line for line in node.details]
        if depth >= _DEPTH_SHOWN:
            below = below[: -len(_BELOW)]
        for number, child in reversed(list(enumerate(children))):
            last = number == len(children) - 1
            branch, under = ("└─ ", "   ") if last else ("├─ ", _BELOW)
            stack.append((child, below + branch, below + under, depth + 1))
    return lines


_BELOW = "│  "


def _preorder(root: Node) -> Iterator[tuple[Node, Node | None]]:
    """(node, its parent), parents before children."""
    stack: list[tuple[Node, Node | None]] = [(root, None)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack += [(child, node) for child in reversed(node.children)]


def _mark_ancestors(root: Node) -> None:
    for node, parent in reversed(list(_preorder(root))):
        if node.matters and parent is not None:
            parent.matters = True


def _shown(children: Sequence[Node]) -> list[Node]:
    quiet = sum(not child.matters for child in children)
    if quiet <= _QUIET_SHOWN + 1:
        return list(children)
    shown, left = [], _QUIET_SHOWN
    for child in children:
        if child.matters or left:
            shown.append(child)
            left -= not child.matters
    return [*shown, Node(f"... {quiet - _QUIET_SHOWN} more", "gone")]
