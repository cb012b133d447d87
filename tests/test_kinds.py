"""The table of leaks: each kind is found and named, and no clean twin is accused.

Rows are run many at a time, each with a tmux server of its own, in a pytest
of its own; where this one is root's, once more as the user nobody.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from kinds.model import Kind, Row
from kinds.running import Played, TableRun, run_rows
from kinds.table import KINDS, TWINS

BATCHES = 3
ROWS: tuple[Row, ...] = (*KINDS, *TWINS)
IS_ROOT = os.geteuid() == 0


@pytest.mark.parametrize("as_nobody", [False, True] if IS_ROOT else [False])
@pytest.mark.parametrize("batch", range(BATCHES))
def test_kinds_are_found_and_named_and_their_twins_are_not_accused(
    batch: int, as_nobody: bool
) -> None:
    is_root = IS_ROOT and not as_nobody
    kinds = runnable(KINDS[batch::BATCHES], is_root=is_root)
    twins = runnable(TWINS[batch::BATCHES], is_root=is_root)
    with run_rows(kinds, twins, as_nobody=as_nobody) as run:
        assert_outcome(run)
        leaking, clean = run.played("leaking"), run.played("clean")
        wrong = [
            complaint
            for kind in kinds
            if isinstance(kind, Kind)
            for complaint in complaints(kind, leaking[kind.name], is_root=is_root)
        ]
        assert not wrong, "\n\n".join([*wrong, run.output])
        assert set(leaking) == {kind.name for kind in kinds}
        assert set(clean) == {twin.name for twin in twins}
        assert run.accused == len(kinds), run.output
        assert run.left() == []


def runnable(rows: Sequence[Row], *, is_root: bool) -> list[Row]:
    return [row for row in rows if row.can_run() and (is_root or not row.root)]


def assert_outcome(run: TableRun) -> None:
    """Both tests passed, and the first one leaked."""
    assert run.status == pytest.ExitCode.TESTS_FAILED, run.output
    last = run.output.rstrip().splitlines()[-1]
    assert last.startswith("1 failed, 2 passed in "), run.output
    assert "\nLEAKED test_rows.py::test_leaking - " in run.output


def complaints(kind: Kind, played: Played, *, is_root: bool) -> list[str]:
    """What is not as the row says, with the report on it."""
    found = []
    seen = sorted((row.name, anonymous(row.why)) for row in played.survivors)
    wanted = sorted(
        (name, f"belongs to user nobody, {why}" if is_root and kind.drops_root else why)
        for name, why in kind.survivors
    )
    if len(seen) != len(wanted) or not all(
        fnmatchcase(name, pattern) and why == expected
        for (name, why), (pattern, expected) in zip(seen, wanted, strict=True)
    ):
        found.append(f"{kind.name}: expected {wanted}, not {seen}")
    if kind.secretive and not is_root:
        return ["\n".join([complaint, *played.report]) for complaint in found]
    held = [
        line.split(maxsplit=2)[2] for line in map(strip, played.report) if is_held(line)
    ]
    for pattern in kind.holds:
        named = pattern.replace("$HOST", played.host).replace("$PWD", played.directory)
        if not any(fnmatchcase(target, named) for target in held):
            found.append(f"{kind.name}: nothing holds {named!r}, but {held}")
    return ["\n".join([complaint, *played.report]) for complaint in found]


def strip(line: str) -> str:
    return line.strip(" │")


def is_held(line: str) -> bool:
    return re.match(r"fd [\d,]+(r|w|rw)? ", line) is not None


def anonymous(why: str) -> str:
    """Pids differ from run to run."""
    return re.sub(r" \d+", " N", why)


@pytest.mark.parametrize(
    "program", sorted({program for row in ROWS for program in row.programs})
)
def test_program_of_the_table_is_installed(program: str) -> None:
    if not Row("", "", needs=(program,)).can_run():
        pytest.skip(f"{program} is not installed")


def test_table_is_as_broad_as_promised() -> None:
    """At least 60 kinds, half of them programs that nobody here wrote, 30 twins."""
    assert len(KINDS) >= 60
    assert sum(kind.foreign for kind in KINDS) * 2 >= len(KINDS)
    assert len(TWINS) >= 30
    for rows in (KINDS, TWINS):
        names = [row.name for row in rows]
        assert len(set(names)) == len(names)
    assert all(kind.survivors for kind in KINDS)
    assert all(twin.runs for twin in TWINS)
