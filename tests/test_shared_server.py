"""One tmux server for all tests, each held to what it added to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from inner import Inner

from pytest_tmuxlife import LeakCheck, Server, ServerFactory
from pytest_tmuxlife.containment import kernel

LIMIT = 30.0


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


# -- what a test gets ------------------------------------------------------------


def test_server_is_the_same_for_all_tests(inner: Inner) -> None:
    """One process of it, whatever session a test has made and ended."""
    inner.run(
        """
        import pytest

        pids = []

        @pytest.mark.parametrize("number", range(3))
        def test_it(tmux_shared_server, number):
            pids.append(tmux_shared_server.pid)
            assert tmux_shared_server.sessions == []
            session = tmux_shared_server.new_session()
            assert session.pane.run("echo $((6 * 7))").output == "42\\n"
            session.kill()

        def test_pids():
            assert len(pids) == 3
            assert len(set(pids)) == 1
        """
    ).assert_outcomes(passed=4)


@pytest.mark.tmux(size=(50, 10), env={"GIVEN": "by marker"}, history_limit=7)
def test_sessions_have_the_options_of_the_test(
    tmux_shared_server: Server, tmp_path: Path
) -> None:
    """Its marker, and a directory of its own."""
    session = tmux_shared_server.new_session()
    pane = session.pane
    assert pane.run("echo $GIVEN; pwd").output == f"by marker\n{tmp_path}\n"
    assert pane.screen().size == (50, 10)
    limits = tmux_shared_server.cmd("list-panes", "-a", "-F", "#{history_limit}")
    assert limits.stdout == ["7"]
    session.kill()


def test_options_of_another_test_are_gone(tmux_shared_server: Server) -> None:
    session = tmux_shared_server.new_session()
    assert session.pane.run("echo .$GIVEN.").output == "..\n"
    assert session.pane.screen().size == (80, 24)
    session.kill()


def test_sessions_get_what_the_test_has_set(inner: Inner) -> None:
    """By monkeypatch in a fixture; the server was started before that."""
    inner.run(
        """
        import pytest

        def test_first(tmux_shared_server):
            pass

        @pytest.fixture(autouse=True)
        def given(monkeypatch):
            monkeypatch.setenv("GIVEN_BY_TEST", "here")

        def test_it(tmux_shared_server):
            session = tmux_shared_server.new_session()
            assert session.pane.run("echo $GIVEN_BY_TEST").output == "here\\n"
            session.kill()
        """
    ).assert_outcomes(passed=2)


def test_configuration_of_a_test_is_refused_by_name(inner: Inner) -> None:
    """The server has read its own when it started."""
    inner.pytester.path.joinpath("tmux.conf").touch()
    result = inner.run(
        """
        import pytest

        @pytest.mark.tmux(config="tmux.conf")
        def test_it(tmux_shared_server):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*config is fixed when the shared tmux server starts*"]
    )


def test_servers_of_its_own_are_beside_it(
    tmux_shared_server: Server, tmux_server: Server, tmux_server_factory: ServerFactory
) -> None:
    servers = {tmux_shared_server.pid, tmux_server.pid, tmux_server_factory().pid}
    assert len(servers) == 3
    tmux_server.new_session()
    assert tmux_shared_server.sessions == []


def test_it_stays_when_its_last_session_has_ended(tmux_shared_server: Server) -> None:
    tmux_shared_server.new_session().kill()
    assert tmux_shared_server.sessions == []
    assert tmux_shared_server.is_running


def test_files_and_handles_of_a_pane_go_with_its_test(inner: Inner) -> None:
    """However many tests there are, pytest and the directory hold none of them."""
    inner.run(
        """
        import os
        import pytest

        counts = []

        def is_of_waits(number):
            # The first wait that has to wait opens it, for all that follow.
            try:
                return "inotify" in os.readlink("/proc/self/fd/" + number)
            except FileNotFoundError:
                # Of the listing itself.
                return True

        @pytest.mark.parametrize("number", range(4))
        def test_it(tmux_shared_server, number):
            numbers = os.listdir("/proc/self/fd")
            descriptors = sum(not is_of_waits(number) for number in numbers)
            files = len(os.listdir(tmux_shared_server.supervisor.directory))
            counts.append((descriptors, files))
            session = tmux_shared_server.new_session()
            session.pane.run("true")
            session.kill()

        def test_counts():
            assert len(set(counts)) == 1, counts
        """
    ).assert_outcomes(passed=5)


def test_each_worker_has_one(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Inner(pytester, monkeypatch, autoload=True)
    inner.run(
        """
        import os
        import pytest

        HERE = os.path.dirname(__file__)

        @pytest.mark.parametrize("number", range(8))
        def test_it(tmux_shared_server, number, worker_id):
            with open(f"{HERE}/{worker_id}.pids", "a") as file:
                file.write(f"{tmux_shared_server.pid}\\n")
        """,
        "-n2",
        "-p",
        "no:randomly",
    ).assert_outcomes(passed=8)
    files = list(pytester.path.glob("*.pids"))
    pids = [set(file.read_text().split()) for file in files]
    assert [len(one) for one in pids] == [1] * len(files)
    assert len(set.union(*pids)) == len(files)


# -- what it left ------------------------------------------------------------------

LEFT = """
import socket

import pytest

kept = []

@pytest.fixture(scope="module")
def wide(tmux_shared_server):
    session = tmux_shared_server.new_session("wide")
    yield session
    session.kill()

def test_before(wide):
    assert wide.pane.run("true").exit_code == 0

def test_session(tmux_shared_server):
    tmux_shared_server.new_session("forgotten")

def test_window(wide, tmux_shared_server):
    tmux_shared_server.cmd("new-window", "-t", wide.id, "exec cat")

def test_pane(wide, tmux_shared_server):
    tmux_shared_server.cmd("split-window", "-t", wide.id, "exec cat")

def test_process(tmux_shared_server, leave):
    session = tmux_shared_server.new_session()
    leave(session.pane)
    session.kill()

def test_process_in_a_pane_of_others(wide, leave):
    leave(wide.pane)

def test_descriptor(tmux_shared_server):
    client = socket.socket(socket.AF_UNIX)
    client.connect(tmux_shared_server.socket_path)
    kept.append(client)

def test_after(wide, tmux_shared_server):
    kept.pop().close()
    assert tmux_shared_server.sessions == [wide]
    assert wide.panes == [wide.pane]
    assert wide.pane.run("echo $((6 * 7))").output == "42\\n"
"""


def test_what_a_test_has_left_is_its_leak_and_removed(inner: Inner) -> None:
    """Named each in the block of its own test; the tests around it are clean."""
    result = inner.run(LEFT)
    result.assert_outcomes(passed=8, failed=6)
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_session",
            "1 session left on the shared tmux server *; looked for 0.6 s at the end *",
            "tmux: server * still there",
            "*bash * still there",
            "session forgotten (*): left on the shared tmux server",
            "LEAKED test_inner.py::test_window",
            "1 window left on the shared tmux server *",
            "window wide:1 (*): left on the shared tmux server",
            "LEAKED test_inner.py::test_pane",
            "1 pane left on the shared tmux server *",
            "pane of wide:0 (*): left on the shared tmux server",
            "LEAKED test_inner.py::test_process",
            "1 process left on the shared tmux server *",
            f"*sleep {inner.survivors[0].pid} * ALIVE * ignores SIGHUP*",
            "LEAKED test_inner.py::test_process_in_a_pane_of_others",
            "1 process left on the shared tmux server *",
            f"*sleep {inner.survivors[1].pid} * ALIVE * ignores SIGHUP*",
            "LEAKED test_inner.py::test_descriptor",
            "1 descriptor left on the shared tmux server *",
            "descriptor socket: 1 more open in the tmux server than before the test",
        ]
    )
    inner.assert_all_gone(2)


def test_orphan_that_forks_itself_anew_is_found_and_ended(inner: Inner) -> None:
    """No look at the processes need ever show it."""
    result = inner.run(
        """
        import os

        PROGRAM = '''
        import os, sys, time
        while True:
            if os.fork():
                os._exit(0)
            os.setsid()
            with open(sys.argv[1], "w") as file:
                file.write("%d" % os.getpid())
            time.sleep(0.002)
        '''

        def test_it(tmux_shared_server, tmp_path):
            import sys, textwrap
            (tmp_path / "chain.py").write_text(textwrap.dedent(PROGRAM))
            session = tmux_shared_server.new_session()
            session.pane.run(f"{sys.executable} -S -I chain.py started")
            session.pane.run("until [ -s started ]; do :; done")
            session.kill()

        def test_next(tmux_shared_server):
            pass
        """
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["LEAKED test_inner.py::test_it - 1 process left *"])


def test_what_was_there_before_and_is_gone_is_named(inner: Inner) -> None:
    """A session of a wider fixture, and the server; the next test has a new one."""
    result = inner.run(
        """
        import pytest

        @pytest.fixture(scope="module")
        def wide(tmux_shared_server):
            return tmux_shared_server.new_session("wide")

        def test_ends_session(wide):
            wide.kill()

        def test_ends_server(tmux_shared_server):
            tmux_shared_server.kill()

        def test_next(tmux_shared_server):
            session = tmux_shared_server.new_session()
            assert session.pane.run("echo $((6 * 7))").output == "42\\n"
            session.kill()
        """
    )
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_ends_session",
            "1 session on the shared tmux server * ended by a test that had not *",
            "session wide (*): was there before the test, and is gone",
            "LEAKED test_inner.py::test_ends_server",
            "the test ended the shared tmux server (*",
        ]
    )


def test_stopped_server_is_named_and_replaced(inner: Inner) -> None:
    result = inner.run(
        """
        import os
        import signal

        def test_stops(tmux_shared_server):
            os.kill(tmux_shared_server.pid, signal.SIGSTOP)

        def test_next(tmux_shared_server):
            assert tmux_shared_server.sessions == []

        def test_ends_it_last_of_all(tmux_shared_server):
            tmux_shared_server.kill()
        """
    )
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        ["the test left the shared tmux server stopped or stuck (*"]
    )


def test_what_a_wider_fixture_leaves_is_no_test_s(inner: Inner) -> None:
    """It has a report of its own, when the server ends."""
    result = inner.run(
        """
        import pytest

        @pytest.fixture(scope="session")
        def wide(tmux_shared_server):
            return tmux_shared_server.new_session("wide")

        def test_one(wide):
            assert wide.exists

        def test_two(wide):
            assert wide.exists
        """
    )
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*_ tmux_shared_server _*",
            "1 session left on the shared tmux server *",
            "session wide (*): left on the shared tmux server",
            "LEAKED tmux_shared_server - 1 session left *",
        ]
    )


def test_what_may_stay_is_allowed_on_it_too(inner: Inner) -> None:
    """For as long as the rule says: to the verdict, or until the run ends."""
    result = inner.run(
        """
        from pytest_tmuxlife.containment.identity import Identity

        def test_allows(tmux_shared_server, tmux_leaks, leave):
            tmux_leaks.ignore("sleep 1001", reason="others need it", keep=True)
            tmux_leaks.ignore("sleep 1002", reason="it may be slow")
            session = tmux_shared_server.new_session()
            leave(session.pane, 1001)
            leave(session.pane, 1002)
            session.kill()

        def test_after(request):
            lines = (request.path.parent / "survivors").read_text().splitlines()
            alive = [Identity.parse(line).is_alive for line in lines]
            assert alive == [True, False]
        """
    )
    result.assert_outcomes(passed=2)
    inner.assert_all_gone(2)


# -- in the middle of a test -------------------------------------------------------


def test_running_check_sees_what_the_test_added(
    tmux_shared_server: Server, tmux_leaks: LeakCheck
) -> None:
    """Not what lives in a pane."""
    session = tmux_shared_server.new_session()
    session.pane.run("sleep 1000 & child=$!")
    assert tmux_leaks.check() == []
    session.pane.run("sh -c 'setsid sleep 1001 & echo $! > orphan'")
    session.pane.run("until [ -s orphan ]; do :; done")
    (leak,) = tmux_leaks.check()
    assert leak.process is not None
    pidfd = os.pidfd_open(leak.process.pid)
    try:
        kernel.send_signal(pidfd, 9)
        assert kernel.has_exited(pidfd, LIMIT)
    finally:
        os.close(pidfd)
    session.kill()
    tmux_leaks.assert_none(LIMIT)


def test_debugger_finds_survivors_alive(
    pytester: pytest.Pytester, inner: Inner
) -> None:
    """They go when it ends."""
    inner.pytester.makepyfile(
        test_inner="""
        def test_leaks(tmux_shared_server, leave):
            leave(tmux_shared_server.new_session("forgotten").pane)

        def test_next(tmux_shared_server):
            assert tmux_shared_server.sessions == []
        """
    )
    look = "len(open('survivors').read().split()), __import__('os').kill("
    look += "int(open('survivors').read().split()[0]), 0)"
    result = pytester.run(
        "sh",
        "-c",
        'printf \'%s\\nc\\n\' "$0" | exec "$@"',
        f"print('LOOKED', {look})",
        *pytester._getpytestargs(),
        *inner._first,
        "--pdb",
        "test_inner.py",
        timeout=60,
    )
    result.stdout.fnmatch_lines(["*LOOKED 2 None*"])
    result.assert_outcomes(passed=2, failed=1)
    inner.assert_all_gone(1)
