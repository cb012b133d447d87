"""The examples in docs/examples: the demo checks itself, and can fail."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("demo")


def test_demo_catches_the_leak_and_accuses_nobody_else() -> None:
    """The main job, from outside, on programs as users write them."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    leak, right = done.stdout.splitlines()[-2:]
    assert leak.startswith("leak caught: agent ")
    assert right == "right stop function: passed, and nothing was accused."


LEAK = "LEAKED test_orchestrator_leaks.py::test_stop_session"


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        ("1 passed", "not reported as LEAKED"),
        (f"{LEAK}\n└─ agent 7  ALIVE 2.7 s  ignores SIGHUP", "two helpers"),
        (f"{LEAK}\n└─ agent 7  ALIVE 2.7 s", "the log's descriptor"),
    ],
)
def test_demo_says_what_the_report_of_the_leak_lacks(
    demo: ModuleType, report: str, problem: str
) -> None:
    """A report that forgets something makes the demo fail."""
    assert problem in "\n".join(demo.problems_of_leaking(1, report))


def test_demo_says_which_survivor_was_not_ended(demo: ModuleType) -> None:
    """A process of the report that is still there makes the demo fail."""
    report = f"{LEAK}\n└─ agent {os.getpid()}  ALIVE 2.7 s  ignores SIGHUP"
    problems = demo.problems_of_leaking(1, report)
    assert f"agent {os.getpid()} is still alive after the run" in problems


def test_demo_fails_if_the_right_stop_function_is_accused(demo: ModuleType) -> None:
    """An accusation of the clean test makes the demo fail."""
    problems = demo.problems_of_right(1, "LEAKED test_orchestrator.py")
    assert "the right stop function was accused" in problems
