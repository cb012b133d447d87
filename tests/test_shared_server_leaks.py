"""What a test leaves on the shared server is its leak, and is removed."""

from __future__ import annotations

import pytest
from inner import Inner


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


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
            "1 session left on the shared tmux server *; looked for * s at the end *",
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
    # Seen between its fork and its exit it is two.
    result.stdout.fnmatch_lines(
        ["LEAKED test_inner.py::test_it - [12] process* left *"]
    )


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


LATE = """
import pytest

@pytest.fixture(scope="module")
def wide(tmux_shared_server):
    session = tmux_shared_server.new_session("wide")
    yield session
    session.kill()

@pytest.fixture
def server(request):
    return request.getfixturevalue("tmux_shared_server")
"""


def test_late_request_holds_the_test_from_then_on(inner: Inner) -> None:
    """The first of the run, one of many, and one of a fixture of the test."""
    result = inner.run(
        LATE
        + """
def test_first(request):
    request.getfixturevalue("tmux_shared_server").new_session("first")

def test_named(wide, tmux_shared_server):
    assert tmux_shared_server.sessions == [wide]

def test_second(request):
    server = request.getfixturevalue("tmux_shared_server")
    server.new_session("second").kill()
    request.getfixturevalue("tmux_shared_server").new_session("third")

def test_clean(request, tmux_pane):
    server = request.getfixturevalue("tmux_shared_server")
    assert [session.name for session in server.sessions] == ["wide"]

def test_by_a_fixture(server):
    server.new_session("fourth")

def test_wider_one_that_is_set_up(request, wide):
    wide.pane.run("true")
    request.getfixturevalue("tmux_shared_server")
"""
    )
    result.assert_outcomes(passed=6, failed=3)
    for name, session in (
        ("test_first", "first"),
        ("test_second", "third"),
        ("test_by_a_fixture", "fourth"),
    ):
        result.stdout.fnmatch_lines(
            [f"LEAKED test_inner.py::{name}", f"session {session} (*): left on the*"]
        )


def test_late_request_of_a_wider_fixture_is_refused_by_name(inner: Inner) -> None:
    """It would be the test that is accused; the others are none the worse."""
    result = inner.run(
        LATE
        + """
def test_late(request):
    request.getfixturevalue("wide")

def test_named(wide):
    assert wide.pane.run("true").exit_code == 0

def test_late_but_set_up(request, tmux_shared_server):
    request.getfixturevalue("wide").pane.run("true")
"""
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *TmuxLifeError: fixture wide (module) uses tmux_shared_server, and "
            "test_inner.py::test_late came to it too late *usefixtures*"
        ]
    )


def test_late_request_of_a_doctest_holds_it_too(inner: Inner) -> None:
    result = inner.run(
        '''
        """
        >>> server = getfixture("tmux_shared_server")
        >>> session = server.new_session("forgotten")
        """

        def test_after(tmux_shared_server):
            assert tmux_shared_server.sessions == []
        ''',
        "--doctest-modules",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["LEAKED test_inner.py::test_inner"])
