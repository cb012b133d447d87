"""What a test leaves in the pytest process: each kind is found, no twin accused.

The rows are tests of one inner run, under ``--tmux-leak-check``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from inner import Inner
from kinds.in_pytest import HOLDINGS
from kinds.in_pytest_clean import PASSING
from kinds.model import Left
from kinds.running_in_pytest import closing, leaking, passing, run_tests

# For what never goes by itself, and for what does, on however busy a machine.
SHORT = ("-o", "tmux_leak_grace=0.4")
PATIENT = ("-o", "tmux_leak_grace=60")


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def test_what_a_test_leaves_in_its_process_is_found_and_named(inner: Inner) -> None:
    """With what it is, the line that made it, and the layers that see it."""
    run = run_tests(inner, {row.name: leaking(row) for row in HOLDINGS}, *SHORT)
    run.result.assert_outcomes(passed=len(HOLDINGS), failed=len(HOLDINGS))
    wrong = [
        f"{row.name}: expected {row.left}, not {found}"
        for row in HOLDINGS
        if not are_those(found := run.accused.get(row.name, []), row.left)
    ]
    assert not wrong, "\n".join(wrong)
    assert set(run.accused) == {row.name for row in HOLDINGS}
    assert [one for one in inner.survivors if one.is_alive] == []


def are_those(found: Sequence[Left], expected: Sequence[Left]) -> bool:
    """Each of *found* is as one of *expected* says, and none is missing."""
    missing = list(expected)
    for one in found:
        fitting = next((left for left in missing if fits(one, left)), None)
        if fitting is None:
            return False
        missing.remove(fitting)
    return not missing


def fits(found: Left, expected: Left) -> bool:
    return (
        fnmatchcase(found.name, expected.name)
        and fnmatchcase(found.why, expected.why)
        and (found.seen_by, found.has_place) == (expected.seen_by, expected.has_place)
    )


def test_what_is_closed_or_goes_by_itself_accuses_nobody(inner: Inner) -> None:
    """Nor what belongs to a module, to multiprocessing or to a wider fixture."""
    tests = {row.name: closing(row) for row in HOLDINGS}
    tests |= {row.name: passing(row) for row in PASSING}
    run = run_tests(inner, tests, *PATIENT)
    run.result.assert_outcomes(passed=len(tests))
    assert run.accused == {}
    assert [one for one in inner.survivors if one.is_alive] == []
