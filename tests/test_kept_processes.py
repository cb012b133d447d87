"""Processes of the tested code beside the fixtures that are allowed to stay."""

from __future__ import annotations

import shutil

import pytest
from inner import Inner
from processes import PROGRAMS

FLAG = "--tmux-leak-check"
# Each returns the pid of a process that a test leaves, and that runs sleep.
SOURCE = """
import subprocess
from leaving import *

def child():
    return note(keep(subprocess.Popen(["sleep", "1000"])).pid)

def daemon():
    return orphan_of_program("setsid", "sleep", "1000")

def below_a_child():
    shell = keep(subprocess.Popen(["sh", "-c", FAMILY], stdout=subprocess.PIPE))
    note(shell.pid)
    with shell.stdout:
        return sleeping(int(shell.stdout.readline()))

def lives(pid):
    now = procfs.stat(pid)
    return now is not None and not now.is_zombie
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    shutil.copy(PROGRAMS / "leaving.py", pytester.path)
    return Inner(pytester, monkeypatch)


def test_what_is_allowed_to_stay_is_no_leak_and_is_ended(inner: Inner) -> None:
    """By a rule of the test, or by one of the ini file."""
    rule = ("-o", "tmux_leak_ignore=^sleep 1000$ # of the project")
    result = inner.run(
        SOURCE
        + """
PIDS = []

def test_by_the_ini_file():
    PIDS.extend([child(), daemon()])

def test_by_itself(tmux_leaks):
    assert not any(map(lives, PIDS))
    tmux_leaks.ignore("1000$", reason="of the test")
    PIDS.extend([child(), daemon()])

def test_after():
    assert not any(map(lives, PIDS))
""",
        FLAG,
        *rule,
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*test_by_the_ini_file*of the project*", "*test_by_itself*of the test*"]
    )
    inner.assert_all_gone(4)


def test_what_is_kept_lives_until_the_run_ends(inner: Inner) -> None:
    """Nobody is accused of it: neither a later test, nor the run."""
    result = inner.run(
        SOURCE
        + """
PIDS = []

def test_keeps(tmux_leaks):
    tmux_leaks.ignore("^sleep 1000$", reason="it serves later tests", keep=True)
    PIDS.extend([child(), daemon()])

def test_after():
    assert all(map(lives, PIDS))

def test_that_leaks():
    below_a_child()

def test_last():
    assert all(map(lives, PIDS))
""",
        FLAG,
    )
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["LEAKED *::test_that_leaks - 2 processes outlived*"])
    inner.assert_all_gone(4)


def test_what_is_kept_is_ended_with_a_run_that_is_not_checked_too(inner: Inner) -> None:
    """No supervisor of the run is there to do it."""
    result = inner.run(
        SOURCE
        + """
def test_keeps(tmux_leaks):
    tmux_leaks.ignore("^sleep 1000$", reason="it serves later tests", keep=True)
    child()

def test_after():
    assert lives(KEPT[0].pid)
"""
    )
    result.assert_outcomes(passed=2)
    inner.assert_all_gone(1)


def test_what_is_kept_survives_the_end_of_what_started_it(inner: Inner) -> None:
    """Its parent is ended, for no rule allows that one; then it is an orphan."""
    result = inner.run(
        SOURCE
        + """
PIDS = []

def test_keeps(tmux_leaks):
    tmux_leaks.ignore("^sleep 1000$", reason="it serves later tests", keep=True)
    PIDS.append(below_a_child())

def test_after():
    assert not lives(KEPT[0].pid)
    assert lives(PIDS[0])
""",
        FLAG,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["LEAKED *::test_keeps", "1 process outlived the test"])
    result.stdout.no_fnmatch_line("LEAKED the run*")
    inner.assert_all_gone(2)


def test_below_what_is_kept_the_others_are_ended(inner: Inner) -> None:
    result = inner.run(
        SOURCE
        + """
PIDS = []

def test_keeps(tmux_leaks):
    tmux_leaks.ignore("^sh -c", reason="it serves later tests", keep=True)
    shell = keep(subprocess.Popen(
        ["sh", "-c", "sleep 1000 >/dev/null & echo $!; wait; cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ))
    note(shell.pid)
    PIDS.append(sleeping(int(shell.stdout.readline())))

def test_after():
    assert lives(KEPT[0].pid)
    assert not lives(PIDS[0])
    KEPT[0].communicate()
""",
        FLAG,
    )
    result.stdout.fnmatch_lines(["LEAKED *::test_keeps"])
    inner.assert_all_gone(2)
