"""The verdict under a debugger, C-c, and whatever else ends a run."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pexpect
import pytest
from inner import LEAKING, RUN_LIMIT, Inner
from runs import PytestProcess

from pytest_tmuxlife.containment import kernel


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


# -- a debugger -------------------------------------------------------------------


@pytest.mark.parametrize("leaving", ["c", "q"])
def test_survivor_lives_until_the_debugger_ends(inner: Inner, leaving: str) -> None:
    """The debugger opens on the leak; what it is about can be looked at."""
    inner.pytester.makepyfile(test_inner=LEAKING)
    pytest_run = pexpect.spawn(
        sys.executable,
        ["-m", "pytest", "-p", "no:cacheprovider", "--pdb", "test_inner.py"],
        cwd=str(inner.pytester.path),
        timeout=RUN_LIMIT,
        encoding="utf-8",
    )
    try:
        pytest_run.expect_exact("LEAKED test_inner.py::test_leaking")
        pytest_run.expect_exact("(Pdb)")
        assert inner.survivors[0].is_alive
        pytest_run.sendline(leaving)
        pytest_run.expect(pexpect.EOF)
        pytest_run.wait()
    finally:
        pytest_run.close(force=True)
    assert pytest_run.exitstatus == (1 if leaving == "c" else 2)
    inner.assert_all_gone(1)


# -- C-c --------------------------------------------------------------------------

INTERRUPTED = """
import os
import pytest

@pytest.fixture
def last_word(tmux_server_factory, ready):
    yield
    {in_teardown}

def test_it(last_word, stubborn, ready):
    server = stubborn()
    {in_body}

def test_next():
    print("NEXT RAN")
"""
WAITING = 'ready(); server.cmd("wait-for", "never", timeout=60)'


def test_c_c_in_a_test_ends_the_run_and_all_it_held(tmp_path: Path) -> None:
    """What the interrupted test had left is shown all the same."""
    source = INTERRUPTED.format(in_body=WAITING, in_teardown="pass")
    with PytestProcess(tmp_path, source, "-o", "tmux_leak_grace=0.6") as run:
        run.wait_ready()
        run.note_processes()
        run.signal(signal.SIGINT)
        assert run.wait() == pytest.ExitCode.INTERRUPTED
        assert "KeyboardInterrupt" in run.output
        assert "LEAKED test_inner.py::test_it" in run.output
        assert "NEXT RAN" not in run.output
        run.assert_nothing_left()


def test_c_c_in_the_grace_ends_the_run_and_all_it_held(tmp_path: Path) -> None:
    source = INTERRUPTED.format(in_body="pass", in_teardown="ready()")
    with PytestProcess(tmp_path, source, "-o", "tmux_leak_grace=60") as run:
        run.wait_ready()
        run.note_processes()
        # The server goes at kill-server, with which the grace begins.
        server = run.servers[0].open()
        if server is not None:
            assert kernel.has_exited(server, RUN_LIMIT)
            os.close(server)
        run.signal(signal.SIGINT)
        assert run.wait() == pytest.ExitCode.INTERRUPTED
        assert "LEAKED test_inner.py::test_it" in run.output
        assert "cut short by KeyboardInterrupt" in run.output
        run.assert_nothing_left()


# -- pytest itself ----------------------------------------------------------------


ENDS_THE_RUN = """
import pytest

def test_ends_the_run(tmux_pane, leave):
    leave(tmux_pane)
    pytest.exit("enough", returncode={code})
"""


@pytest.mark.parametrize(("code", "status"), [("None", 2), ("0", 1)])
def test_pytest_exit_in_a_test_does_not_hide_a_leak(
    inner: Inner, code: str, status: int
) -> None:
    """No report comes any more, so the summary has it; 0 becomes 1."""
    result = inner.run(ENDS_THE_RUN.format(code=code))
    result.stdout.fnmatch_lines(
        [
            "*= tmux leaks of a test that was cut short =*",
            "LEAKED test_inner.py::test_ends_the_run",
            "*ALIVE*",
            "LEAKED test_inner.py::test_ends_the_run - 1 process * (when the run was *",
        ]
    )
    assert result.ret == status
    inner.assert_all_gone(1)


def test_exit_status_of_somebody_s_own_does_not_hide_a_leak(inner: Inner) -> None:
    """pytest then prints no summary, so it goes to stderr."""
    result = inner.run(ENDS_THE_RUN.format(code=7))
    result.stderr.fnmatch_lines(["LEAKED test_inner.py::test_ends_the_run", "*ALIVE*"])
    assert result.ret == 7
    inner.assert_all_gone(1)


def test_run_inside_a_test_has_servers_of_its_own(inner: Inner) -> None:
    """In one process, under one plugin: the inner leak is the inner run's."""
    inner.add_to_conftest("pytest_plugins = ['pytester']")
    result = inner.run(
        """
        INNER = '''
        def test_leaking(tmux_pane):
            tmux_pane.run("(trap '' HUP; sleep 1000 & echo)")
        '''

        def test_outer(tmux_pane, pytester):
            tmux_pane.run("echo before")
            pytester.makefile(".ini", pytest="[pytest]\\ntmux_leak_grace=0.2")
            pytester.makepyfile(INNER)
            result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
            result.stdout.fnmatch_lines(["LEAKED *::test_leaking - 1 process *"])
            assert result.ret == 1
            assert tmux_pane.run("echo after").output == "after\\n"
        """
    )
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK


def test_lost_helper_ends_the_run_without_an_internal_error(inner: Inner) -> None:
    """Killed between two tests: the next one fails, no further one runs."""
    result = inner.run(
        """
        import os, signal
        from pytest_tmuxlife.containment import kernel
        from pytest_tmuxlife.hooks.stash import HARNESS_KEY

        def test_kills_the_helper(tmux_pane, request):
            pidfd = os.pidfd_open(request.config.stash[HARNESS_KEY].reaper.pid)
            kernel.send_signal(pidfd, signal.SIGKILL)
            assert kernel.has_exited(pidfd, 30)
            os.close(pidfd)

        def test_next(tmux_pane):
            print("NEXT RAN")
        """,
        "-s",
    )
    result.stdout.fnmatch_lines(
        [
            "*_ ERROR at teardown of test_kills_the_helper _*",
            "ReaperDied: the reaper (pid *) is gone (was it killed[?]); what it held *",
            "*!!! pytest-tmuxlife: the reaper (pid *) is gone *",
        ]
    )
    for absent in ("*NEXT RAN*", "*INTERNALERROR*", "*channel.py*"):
        result.stdout.no_fnmatch_line(absent)
    assert result.ret == 1


def test_fixture_asked_for_by_name_is_verified_too(inner: Inner) -> None:
    """``getfixturevalue`` in the test's body is as good as an argument."""
    result = inner.run(
        """
        def test_leaking(request, leave):
            leave(request.getfixturevalue("tmux_pane"))
        """
    )
    result.stdout.fnmatch_lines(["LEAKED test_inner.py::test_leaking - 1 process *"])
    inner.assert_all_gone(1)
