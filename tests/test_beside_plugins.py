"""The verdict beside plugins that rerun tests, and beside others."""

from __future__ import annotations

import pytest
from inner import LEAKING, Inner


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


# -- reruns -----------------------------------------------------------------------

LEAKS_ONCE = """
import os
from pytest_tmuxlife.containment.identity import Identity

def test_leaks_once(tmux_pane, leave, request):
    path = request.path.parent / "survivors"
    if path.exists():
        alive = [one for one in map(Identity.parse, path.read_text().splitlines())
                 if one.is_alive]
        print("FROM THE FIRST ATTEMPT:", len(alive))
    else:
        leave(tmux_pane)
"""


def test_leak_in_an_attempt_that_was_rerun_fails_the_run(inner: Inner) -> None:
    """Survivors of the first attempt are gone before the second starts."""
    result = inner.run(LEAKS_ONCE, "--reruns", "1", "-s")
    result.stdout.fnmatch_lines(
        [
            "*FROM THE FIRST ATTEMPT: 0",
            "*= tmux leaks in attempts that were rerun =*",
            "LEAKED test_inner.py::test_leaks_once",
            "*ALIVE*",
            "LEAKED test_inner.py::test_leaks_once - 1 process outlived tmux server * "
            "(in an attempt that was rerun; it fails the run)",
        ]
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    inner.assert_all_gone(1)


def test_leak_in_a_rerun_of_a_worker_fails_the_run(inner: Inner) -> None:
    result = inner.run(LEAKS_ONCE, "--reruns", "1", "-n", "1")
    result.stdout.fnmatch_lines(["LEAKED * (in an attempt that was rerun; it fails*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_leak_in_every_attempt_is_a_failure(inner: Inner) -> None:
    result = inner.run(LEAKING, "--reruns", "1")
    result.stdout.fnmatch_lines(
        [
            "*LEAKED * (in an attempt that was rerun*",
            "LEAKED test_inner.py::test_leaking*",
        ],
        consecutive=False,
    )
    assert result.ret == 1
    inner.assert_all_gone(2)
