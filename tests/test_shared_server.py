"""One tmux server for all tests, each held to what it added to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from inner import Inner

from pytest_tmuxlife import LeakCheck, Server, ServerFactory
from pytest_tmuxlife.containment import kernel
from pytest_tmuxlife.containment.reaper import Reaper
from pytest_tmuxlife.terminal.lasting import LastingServer
from pytest_tmuxlife.terminal.start.options import Options

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


def test_server_waits_until_its_supervisor_is_there() -> None:
    """Which makes the directory that the socket is in."""
    reaper = Reaper()
    try:
        for _ in range(5):
            supervisor = reaper.supervise()
            LastingServer(supervisor, tmux="tmux", environment={}, options=Options())
            assert os.path.isdir(supervisor.directory)
            supervisor.finish()
    finally:
        reaper.close()


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
