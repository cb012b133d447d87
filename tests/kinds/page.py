"""The table as a page of the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kinds.in_pytest import HOLDINGS
from kinds.in_pytest_clean import PASSING
from kinds.model import Holding, Kind, Left
from kinds.table import KINDS, TWINS
from pytest_tmuxlife.containment.layers import LAYERS

PATH = Path(__file__).parents[2] / "docs" / "reference" / "kinds.md"
_LAYERS = [layer for layer in LAYERS if layer != "session"]
_LAYERS_IN_PYTEST = ("baseline", "lineage", "socket")
_INTRODUCTION = """\
# Kinds of leak, and what finds them

Every row on this page is run by the suite, and so is every clean twin.

## Programs in a pane

Each row is typed in a pane of a tmux server of its own, and forgotten. The test fails
as `LEAKED`, names what is left and says why, and nothing of it is there afterwards.
What does not need root is run as an ordinary user too.

The last columns say which layers find every survivor of the row, each by itself. A
layer that a machine does not have ([containment](../explanation/containment.md)) is
missing in all rows. `(secret)`: the program shows its environment to root alone, so an
ordinary user's run does not find its marker.
"""
_IN_PYTEST = """\
## The pytest process itself

Each row is the body of a test under `--tmux-leak-check`. The test fails as `LEAKED`;
processes are ended then, a descriptor stays open. `place`: the report has the line
that opened, made or started it; where Python raises no audit event, it says
`place unknown`.

- `baseline`: it was not there when the test began.
- `lineage`: a child of pytest, or an orphan that the
  [run supervisor](../explanation/run-supervisor.md) has adopted, with all below.
- `socket`: it listens in the directory that `TMUX_TMPDIR` names while a test runs.
"""


def page() -> str:
    """The whole page, from the rows."""
    foreign = [kind for kind in KINDS if kind.foreign]
    own = [kind for kind in KINDS if not kind.foreign]
    lines = [
        _INTRODUCTION,
        "### Programs that others wrote",
        "",
        *_table(foreign),
        "",
        "### One misbehaviour at a time",
        "",
        *_table(own),
        "",
        "### Clean twins",
        "",
        "These end as they should, and nobody is accused:",
        ", ".join(f"`{twin.name}`" for twin in TWINS) + ".",
        "",
        _IN_PYTEST,
        *_table_in_pytest(HOLDINGS),
        "",
        "### Clean twins of these",
        "",
        "Each row once more, closed, ended or removed before its test ends; and:",
        ", ".join(f"`{row.name}`" for row in PASSING) + ".",
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


def _table_in_pytest(rows: Iterable[Holding]) -> list[str]:
    head = ["kind", "what is left", "place", *_LAYERS_IN_PYTEST]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        for number, (left, times) in enumerate(Counter(row.left).items()):
            name = f"`{row.name}`" if number == 0 else ""
            lines.append([name, _in_words(left, times), *_seen(left)])
    return [f"| {' | '.join(line)} |" for line in lines]


def _in_words(left: Left, times: int) -> str:
    count = f"{times} × " if times > 1 else ""
    name = left.name if left.name != "*" else "python N"
    why = left.why.removesuffix(", place unknown").replace("*", "...")
    return f"{count}`{name}`: {why}"


def _seen(left: Left) -> list[str]:
    seen = [layer in left.seen_by for layer in _LAYERS_IN_PYTEST]
    return ["yes" if one else "" for one in (left.has_place, *seen)]
