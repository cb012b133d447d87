"""A tmux server that is started before the next test asks for one."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import spares
from inner import Inner
from runs import PytestProcess, kill

KILLED = """
import signal
from spare_fixtures import *

def test_first(tmux_pane, spares, spare_pid, ready):
    assert spares.ready
    if {waits}:
        spare_pid()
    ready()
    signal.pause()

def test_never(tmux_pane):
    pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    # Whatever the outer run is tried with.
    monkeypatch.setenv("TMUXLIFE_SPARE", "on")
    inner = Inner(pytester, monkeypatch)
    inner.add_to_conftest(spares.CONFTEST)
    return inner


# -- when ----------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["native", "process"])
def test_the_next_test_gets_the_server_that_was_started_meanwhile(
    inner: Inner, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("TMUXLIFE_ENGINE", engine)
    done = inner.run("""
        def test_first(tmux_pane, spare_pid, pids):
            pids.append(spare_pid())

        def test_second(tmux_server, tmux_pane, spare_pid, pids):
            assert tmux_server.pid == pids.pop()
            assert tmux_pane.run("echo hello").output == "hello\\n"
            pids.append(spare_pid())

        def test_third(tmux_server, pids, spares):
            assert tmux_server.pid == pids.pop()
            assert tmux_server.sessions == []
            assert (spares.taken, spares.fresh, spares.lost) == (2, 1, 0)
    """)
    done.assert_outcomes(passed=3)


def test_a_run_whose_tests_all_have_one_server_starts_no_other_at_its_end(
    inner: Inner,
) -> None:
    done = inner.run("""
        def test_nothing():
            pass

        def test_only(tmux_pane, spares):
            assert spares.ready is None

        def test_after():
            pass
    """)
    done.assert_outcomes(passed=3)


def test_a_server_more_in_the_same_test_was_started_meanwhile_too(inner: Inner) -> None:
    done = inner.run("""
        def test_first(tmux_server_factory, spare_pid):
            tmux_server_factory()
            pid = spare_pid()
            assert tmux_server_factory().pid == pid

        def test_second(tmux_pane):
            pass
    """)
    done.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "setting", [("TMUXLIFE_SPARE", "off"), ("TMUXLIFE_WITHOUT", "subreaper")]
)
def test_it_can_be_switched_off(
    inner: Inner, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.setenv(*setting)
    done = inner.run("""
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_it(tmux_pane, spares, number):
            assert spares.ready is None
            assert spares.fresh == number + 1
    """)
    done.assert_outcomes(passed=2)


def test_a_verbose_run_says_how_many_were_started_before(inner: Inner) -> None:
    source = """
        def test_first(tmux_pane, spare_pid):
            spare_pid()

        def test_second(tmux_pane):
            pass
    """
    line = "tmuxlife: 1 of 2 tmux servers was started ahead of time"
    inner.run(source, "-v").stdout.fnmatch_lines([line])
    inner.run(source).stdout.no_fnmatch_line("*ahead of time*")


# -- what is fixed at its start ---------------------------------------------------


def test_environment_is_that_of_the_moment_at_which_the_fixture_is_set_up(
    inner: Inner,
) -> None:
    done = inner.run("""
        import pytest

        @pytest.fixture
        def changed(monkeypatch):
            monkeypatch.setenv("MINE", "set")

        def test_first(tmux_pane, spare_pid):
            spare_pid()

        def test_second(changed, tmux_server, tmux_pane, spares):
            assert tmux_pane.run("echo $MINE").output == "set\\n"
            listed = tmux_server.cmd("show-environment", "-g").stdout
            assert "MINE=set" in listed
            assert spares.taken == 0

        def test_third(tmux_server, tmux_pane, spares):
            assert tmux_pane.run("echo $MINE").output == "\\n"
            listed = tmux_server.cmd("show-environment", "-g").stdout
            assert not [line for line in listed if "MINE" in line]
            assert spares.taken == 1
    """)
    done.assert_outcomes(passed=3)


def test_an_environment_that_stays_changed_is_that_of_the_next_one(
    inner: Inner,
) -> None:
    done = inner.run("""
        import pytest

        def test_first(tmux_pane, spare_pid):
            spare_pid()

        @pytest.mark.parametrize("number", range(4))
        def test_other(monkeypatch, request, number):
            monkeypatch.setenv("MINE", "set")
            pane = request.getfixturevalue("tmux_pane")
            assert pane.run("echo $MINE").output == "set\\n"
            request.getfixturevalue("spare_pid")()
            spares = request.getfixturevalue("spares")
            assert spares.taken == max(0, number - 1)

        def test_last(tmux_pane):
            assert tmux_pane.run("echo $MINE").output == "\\n"
    """)
    done.assert_outcomes(passed=6)


def test_a_configuration_of_the_tests_own_is_read_at_the_start(inner: Inner) -> None:
    (inner.pytester.path / "own.conf").write_text("set-option -g @mine yes\n")
    done = inner.run("""
        import pytest

        def test_first(tmux_pane, spare_pid):
            spare_pid()

        @pytest.mark.tmux(config="own.conf")
        def test_second(tmux_server, tmux_pane, spares):
            assert tmux_server.cmd("show-options", "-gv", "@mine").stdout == ["yes"]
            assert spares.taken == 0

        def test_third(tmux_server, tmux_pane, spares):
            assert tmux_server.cmd("show-options", "-gv", "@mine").stdout == []
            assert spares.taken == 1
    """)
    done.assert_outcomes(passed=3)


# -- when it is not well ----------------------------------------------------------


@pytest.mark.parametrize("how", ["is killed", "is stopped", "loses its socket"])
def test_one_that_is_not_well_is_nobodys_error(inner: Inner, how: str) -> None:
    done = inner.run(f"""
        import contextlib
        import os
        import select
        from signal import SIGKILL, SIGSTOP, pidfd_send_signal
        from pytest_tmuxlife.containment import directories, kernel, procfs
        from pytest_tmuxlife.containment.identity import Identity

        @contextlib.contextmanager
        def opened(identity):
            pidfd = identity.open()
            yield pidfd
            if pidfd is not None:
                os.close(pidfd)

        def harm(spare, pidfd, directory):
            if {how!r} == "is killed":
                pidfd_send_signal(pidfd, SIGKILL)
                assert kernel.has_exited(pidfd, 60)
            elif {how!r} == "is stopped":
                pidfd_send_signal(pidfd, SIGSTOP)
                while procfs.stat(spare.pid).state != "T":
                    select.select([], [], [], 0.005)
            else:
                os.unlink(directories.socket_in(directory))

        def test_first(tmux_pane, spares, spare_pid, pids):
            spare = Identity.of(spare_pid())
            with opened(spare) as pidfd:
                harm(spare, pidfd, spares.ready.supervisor.directory)
            pids.append(spare)

        def test_second(tmux_pane, spares, spare_pid, pids):
            assert tmux_pane.run("echo hello").output == "hello\\n"
            assert (spares.taken, spares.lost) == (0, 1)
            spare_pid()

        def test_third(tmux_pane, spares, pids):
            assert (spares.taken, spares.lost) == (1, 1)
            with opened(pids.pop()) as pidfd:
                assert pidfd is None or kernel.has_exited(pidfd, 60)
    """)
    done.assert_outcomes(passed=3)


def test_one_whose_supervisor_was_killed_is_nobodys_error(inner: Inner) -> None:
    done = inner.run("""
        import os
        import signal
        from pytest_tmuxlife.containment import kernel

        def test_first(tmux_pane, spare_pid, spares):
            server = os.pidfd_open(spare_pid())
            supervisor = os.pidfd_open(spares.ready.supervisor.pid)
            signal.pidfd_send_signal(supervisor, signal.SIGKILL)
            assert kernel.has_exited(supervisor, 60)
            assert kernel.has_exited(server, 60)
            os.close(supervisor)
            os.close(server)

        def test_second(tmux_pane, spares):
            assert tmux_pane.run("echo hello").output == "hello\\n"
            assert (spares.taken, spares.lost) == (0, 1)
    """)
    done.assert_outcomes(passed=2)


# -- what it leaves ---------------------------------------------------------------


def test_what_a_test_leaves_in_it_is_that_tests_leak(inner: Inner) -> None:
    done = inner.run(
        """
        def test_first(tmux_pane, spare_pid, pids):
            pids.append(spare_pid())

        def test_leaking(tmux_server, tmux_pane, leave, pids):
            assert tmux_server.pid == pids.pop()
            leave(tmux_pane)
            print(f"the server is {tmux_server.pid}")

        def test_third(tmux_pane):
            pass
    """,
        "-s",
    )
    done.assert_outcomes(passed=3, failed=1)
    done.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *",
            "tmux: server *gone",
            "*sleep * ALIVE * ignores SIGHUP",
            "test_inner.py::test_leaking: sleep *: ignores SIGHUP",
        ]
    )
    inner.assert_all_gone(1)


@pytest.mark.parametrize("check", [(), ("--tmux-leak-check",)])
def test_one_that_nobody_takes_is_ended_with_the_run_and_no_leak(
    inner: Inner, check: tuple[str, ...]
) -> None:
    done = inner.run(
        """
        import os
        from pytest_tmuxlife.containment.identity import Identity

        def test_first(tmux_pane, spare_pid):
            pid = spare_pid()
            with open("survivors", "a") as file:
                file.write(f"{Identity.of(pid)}\\n")
            assert False

        def test_never(tmux_pane):
            pass
    """,
        "-x",
        *check,
    )
    done.assert_outcomes(failed=1)
    done.stdout.no_fnmatch_line("*LEAKED*")
    done.stdout.no_fnmatch_line("*tmux leaks*")
    inner.assert_all_gone(1)


def test_tests_that_are_checked_for_everything_are_not_accused_of_it(
    inner: Inner,
) -> None:
    done = inner.run(
        """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_ours(tmux_pane, spare_pid, number):
            if number < 2:
                spare_pid()

        def test_between():
            pass

        def test_late(tmux_server, tmux_leaks):
            assert tmux_leaks.check() == []
    """,
        "--tmux-leak-check",
        "-p",
        "no:randomly",
    )
    done.assert_outcomes(passed=5)
    done.stdout.no_fnmatch_line("*tmux leaks*")


@pytest.mark.parametrize("moment", ["is on its way", "waits"])
@pytest.mark.parametrize("helpers_too", [False, True])
def test_a_run_that_is_killed_leaves_none(
    tmp_path: Path, moment: str, helpers_too: bool
) -> None:
    (tmp_path / "spare_fixtures.py").write_text(spares.CONFTEST)
    source = KILLED.format(waits=moment == "waits")
    with PytestProcess(tmp_path, source, environment={"TMUXLIFE_SPARE": "on"}) as run:
        run.wait_ready()
        # The test's server with its shell, the reaper and two supervisors.
        assert run.note_processes() >= 5
        if helpers_too:
            kill(run.reaper)
        run.signal(signal.SIGKILL)
        run.wait()
        run.assert_nothing_left()
