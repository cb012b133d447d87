"""What a finding has beside tmux servers, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_tmuxlife.leaks.drawing import Node, draw
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.particulars import (
    condition,
    details,
    found_by,
    origin,
    printable,
)


def draw_others(leaks: Sequence[Leak]) -> list[str]:
    """Processes with what they hold, children below their parents; else a line each."""
    processes = {leak.process.pid: leak for leak in leaks if leak.process}
    nodes = [(leak, _node(leak, processes)) for leak in leaks]
    by_pid = {leak.process.pid: node for leak, node in nodes if leak.process}
    roots: list[Node] = []
    for leak, node in nodes:
        parent = by_pid.get(leak.process.ppid) if leak.process else None
        (roots if parent is None else parent.children).append(node)
    return [line for root in roots for line in draw(root)]


def _node(leak: Leak, processes: dict[int, Leak]) -> Node:
    place = origin(leak.kind, leak.opened_at)
    if leak.process is None:
        state = "  ".join(filter(None, (leak.why, place)))
        return Node(printable(leak.name), printable(state), matters=True)
    words = filter(None, (leak.why + found_by(leak), place))
    state = f"{condition(leak)}   {', '.join(words)}"
    lines = details(leak, processes.get(leak.process.ppid), 0)
    return Node(
        printable(leak.name),
        printable(state),
        [printable(line) for line in lines],
        matters=True,
    )
