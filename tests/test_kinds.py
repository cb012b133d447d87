"""The table of leaks: each kind is found and named, and no clean twin is accused.

Rows are run many at a time, each with a tmux server of its own, in a pytest
of its own; where this one is root's, once more as the user nobody.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from kinds.model import Kind, Row
from kinds.page import PATH as PAGE
from kinds.page import page
from kinds.running import Played, TableRun, everybodys_python, run_rows
from kinds.table import KINDS, TWINS

BATCHES = 3
ROWS: tuple[Row, ...] = (*KINDS, *TWINS)
IS_ROOT = os.geteuid() == 0


@pytest.mark.parametrize("as_nobody", [False, True] if IS_ROOT else [False])
@pytest.mark.parametrize("batch", range(BATCHES))
def test_kinds_are_found_and_named_and_their_twins_are_not_accused(
    batch: int, as_nobody: bool
) -> None:
    if as_nobody and everybodys_python() is None:
        pytest.skip("there is no Python of this version that nobody can run")
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
            for complaint in complaints(
                kind, leaking[kind.name], run.layers, is_root=is_root
            )
        ]
        assert not wrong, "\n".join([*wrong, run.output])
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


def complaints(
    kind: Kind, played: Played, layers: tuple[str, ...], *, is_root: bool
) -> list[str]:
    """What is not as the row says."""
    wrong = []
    seen = sorted((found.name, found.why) for found in played.found)
    wanted = sorted(
        (name, f"belongs to user nobody, {why}" if is_root and kind.drops_root else why)
        for name, why in kind.survivors
    )
    if len(seen) != len(wanted) or not all(
        fnmatchcase(name, pattern) and fnmatchcase(why, expected)
        for (name, why), (pattern, expected) in zip(seen, wanted, strict=True)
    ):
        wrong.append(f"{kind.name}: expected {wanted}, not {seen}")
    hidden = kind.secretive and not is_root
    missed = {*kind.missed_by, *(["marker"] if hidden else [])}
    expected_layers = [layer for layer in layers if layer not in missed]
    seen_by = [
        layer
        for layer in layers
        if all(layer in found.seen_by for found in played.found)
    ]
    if seen_by != expected_layers:
        wrong.append(f"{kind.name}: seen by {seen_by}, not by {expected_layers}")
    if hidden:
        return wrong
    held = [target for found in played.found for target in found.holds]
    for pattern in kind.holds:
        named = pattern.replace("$HOST", played.host).replace("$PWD", played.directory)
        if not any(fnmatchcase(target, named) for target in held):
            wrong.append(f"{kind.name}: nothing holds {named!r}, but {held}")
    return wrong


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


def test_page_of_the_documentation_is_the_table() -> None:
    """With TMUXLIFE_TESTS_WRITE in the environment it is written anew."""
    if "TMUXLIFE_TESTS_WRITE" in os.environ:
        PAGE.write_text(page())
    assert PAGE.read_text() == page()
