"""The verdict beside xdist, a debugger, reruns, time-outs and C-c."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pexpect
import pytest
from inner import RUN_LIMIT, Inner
from runs import PytestProcess

from pytest_tmuxlife.containment import kernel

LEAKING = """
def test_clean(tmux_pane):
    tmux_pane.run("true")

def test_leaking(tmux_pane, leave):
    leave(tmux_pane)
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


# -- xdist ------------------------------------------------------------------------


@pytest.mark.parametrize("distribution", ["load", "loadgroup"])
def test_leak_in_a_worker_is_shown_whole_by_the_controller(
    inner: Inner, distribution: str
) -> None:
    result = inner.run(LEAKING, "-n", "2", "--dist", distribution)
    result.stdout.fnmatch_lines(
        [
            "*_ test_leaking _*",
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *",
            "*sleep * ALIVE *",
            "LEAKED test_inner.py::test_leaking - 1 process outlived tmux server *",
            "*= 1 failed, 2 passed in *",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    inner.assert_all_gone(1)


def test_a_leak_beside_an_error_comes_through_xdist_too(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.fixture
        def broken(tmux_pane, leave):
            leave(tmux_pane)
            yield
            raise RuntimeError("teardown of broken")

        def test_both(broken):
            pass
        """,
        "-n",
        "1",
    )
    result.stdout.fnmatch_lines(
        ["E *RuntimeError: teardown of broken", "LEAKED test_inner.py::test_both"]
    )
    inner.assert_all_gone(1)


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


# -- time-outs ----------------------------------------------------------------------


def test_time_out_shorter_than_the_grace_keeps_the_description(inner: Inner) -> None:
    """The wait is cut to what the alarm leaves, and the report says so."""
    result = inner.run(
        """
        import pytest

        @pytest.mark.timeout(5, method="signal")
        def test_leaking(tmux_pane, leave):
            leave(tmux_pane)
        """,
        "-o",
        "tmux_leak_grace=60",
    )
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *(instead of 60 s: an alarm is due in *",
            "*ALIVE*",
        ]
    )
    assert result.ret == 1
    inner.assert_all_gone(1)


def test_alarm_in_the_grace_keeps_the_description(inner: Inner) -> None:
    """An alarm that is no interval timer of this thread cannot be foreseen."""
    result = inner.run(
        """
        import os, signal, threading, pytest

        @pytest.fixture
        def alarm(tmux_pane):
            def rings(number, frame):
                pytest.fail("rang")
            signal.signal(signal.SIGALRM, rings)
            yield
            threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGALRM)).start()

        def test_leaking(alarm, tmux_pane, leave):
            leave(tmux_pane)
        """,
        "-o",
        "tmux_leak_grace=60",
    )
    result.stdout.fnmatch_lines(
        [
            "*Failed: rang",
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *(cut short by Failed)",
            "*ALIVE*",
            "LEAKED test_inner.py::test_leaking - 1 process outlived tmux server *, "
            "beside Failed: rang",
        ]
    )
    assert result.ret == 1
    inner.assert_all_gone(1)


@pytest.mark.parametrize("moment", ["begin_end", "_judge"])
def test_alarm_outside_the_wait_keeps_the_description(
    inner: Inner, moment: str
) -> None:
    """When the tree is noted, or when what is left is described."""
    inner.add_to_conftest(
        f"""
        from pytest_tmuxlife import keeper
        from pytest_tmuxlife.leaks import finder

        module = keeper if hasattr(keeper, {moment!r}) else finder
        real, rang = getattr(module, {moment!r}), []

        def ringing(*args, **kwargs):
            if not rang:
                rang.append(True)
                pytest.fail("rang")
            return real(*args, **kwargs)

        setattr(module, {moment!r}, ringing)
        """
    )
    result = inner.run(
        """
        def test_leaking(tmux_server_factory, leave):
            for server in (tmux_server_factory(), tmux_server_factory()):
                leave(server.new_session().pane)
        """
    )
    result.stdout.fnmatch_lines(
        [
            "*Failed: rang",
            "1 process outlived tmux server *(cut short by Failed)",
            "1 process outlived tmux server *(cut short by Failed)",
        ]
    )
    assert result.ret == 1
    inner.assert_all_gone(2)


IN_THE_BODY = """
import pytest

@pytest.mark.timeout(5, method={method!r})
def test_hangs(tmux_pane, leave):
    leave(tmux_pane)
    tmux_pane.run("read nothing", timeout=60)
"""


def test_time_out_in_the_body_shows_failure_and_leak(inner: Inner) -> None:
    result = inner.run(IN_THE_BODY.format(method="signal"))
    result.stdout.fnmatch_lines(
        [
            "E *Failed: Timeout (>5.0s) from pytest-timeout.",
            "FAILED test_inner.py::test_hangs - Failed: Timeout*",
            "LEAKED test_inner.py::test_hangs - 1 process outlived tmux server *",
        ]
    )
    inner.assert_all_gone(1)


def test_time_out_that_ends_the_process_leaves_nothing(tmp_path: Path) -> None:
    """The thread method is os._exit: no finalizer runs."""
    source = """
import pytest

@pytest.mark.timeout(5, method="thread")
def test_hangs(stubborn, ready):
    server = stubborn()
    ready()
    server.cmd("wait-for", "never", timeout=60)
"""
    with PytestProcess(tmp_path, source) as run:
        run.wait_ready()
        assert run.note_processes() > 4
        assert run.wait() == 1
        assert "Timeout" in run.output
        run.assert_nothing_left()


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
        from pytest_tmuxlife.fixtures import HARNESS_KEY

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
            "the reaper (pid *) is gone (was it killed[?]); what it held is ended, *",
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
