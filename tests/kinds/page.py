"""The table as a page of the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kinds.model import Kind
from kinds.table import KINDS, TWINS
from pytest_tmuxlife.containment.layers import LAYERS

PATH = Path(__file__).parents[2] / "docs" / "reference" / "kinds.md"
_LAYERS = [layer for layer in LAYERS if layer != "session"]
_INTRODUCTION = """\
# Kinds of leak, and what finds them

Each row is run by the suite: typed in a pane of a tmux server of its own, and
forgotten. The test fails as `LEAKED`, names what is left and says why, and nothing of
it is there afterwards. What does not need root is run as an ordinary user too.

The last columns say which layers find every survivor of the row, each by itself. A
layer that a machine does not have ([containment](../explanation/containment.md)) is
missing in all rows. `(secret)`: the program shows its environment to root alone, so an
ordinary user's run does not find its marker.
"""


def page() -> str:
    """The whole page, from the rows."""
    foreign = [kind for kind in KINDS if kind.foreign]
    own = [kind for kind in KINDS if not kind.foreign]
    lines = [
        _INTRODUCTION,
        "## Programs that others wrote",
        "",
        *_table(foreign),
        "",
        "## One misbehaviour at a time",
        "",
        *_table(own),
        "",
        "## Clean twins",
        "",
        "These end as they should, and nobody is accused:",
        ", ".join(f"`{twin.name}`" for twin in TWINS) + ".",
    ]
    return "\n".join(lines) + "\n"


def _table(kinds: Iterable[Kind]) -> list[str]:
    head = ["kind", "what is left, and why", *_LAYERS]
    rows = [head, ["---"] * len(head)]
    for kind in kinds:
        found = Counter(kind.survivors)
        left = "; ".join(
            f"{f'{number} × ' if number > 1 else ''}`{name}`: {why.rstrip('*')}"
            for (name, why), number in found.items()
        )
        seen = ["" if layer in kind.missed_by else "yes" for layer in _LAYERS]
        if kind.secretive:
            seen[_LAYERS.index("marker")] = "yes (secret)"
        rows.append([f"`{kind.name}`", left, *seen])
    return [f"| {' | '.join(row)} |" for row in rows]
