"""A run is alone: with the user's surroundings, and beside the tested code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from processes import PASSING, Run

from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.server import Server


@pytest.fixture(params=["native", "process"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The inner run talks to tmux this way."""
    monkeypatch.setenv("TMUXLIFE_ENGINE", request.param)
    return str(request.param)


# -- tested code sees its own children only ---------------------------------------

OWN_CHILDREN = """
    import os
    import signal

    import psutil
    import pytest

    @pytest.fixture(autouse=True)
    def no_hang():
        signal.alarm(30)
        yield
        signal.alarm(0)

    @pytest.fixture
    def busy_pane(tmux_pane):
        tmux_pane.send_line("sleep 0.2; echo slept")
        yield tmux_pane
        tmux_pane.wait_for_text("slept")
        tmux_pane.wait_for_prompt()
        assert tmux_pane.run("echo $((6 * 7))").output == "42\\n"

    def start(script):
        return os.posix_spawn("/bin/sh", ["sh", "-c", script], os.environ)

    def test_os_wait_until_there_is_no_child(busy_pane):
        expected = {start("exit 3"): 3, start("sleep 0.1; exit 4"): 4}
        reaped = {}
        while True:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                break
            reaped[pid] = os.waitstatus_to_exitcode(status)
        assert reaped == expected

    def test_waitpid_of_any_child(busy_pane):
        pid = start("exit 5")
        busy_pane.screen()
        assert os.waitpid(-1, 0) == (pid, 5 << 8)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    def test_psutil_children(busy_pane, tmux_server_factory):
        tmux_server_factory().new_session()
        pid = start("exec sleep 1000")
        children = psutil.Process().children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert [child.pid for child in children] == [pid]

    def test_handler_of_sigchld(busy_pane, tmux_server_factory):
        calls = []
        before = signal.signal(signal.SIGCHLD, lambda *_: calls.append(1))
        other = tmux_server_factory()
        other.new_session().pane.run("true")
        other.kill()
        assert calls == []
        os.waitpid(start("exit 0"), 0)
        signal.signal(signal.SIGCHLD, before)
        assert calls == [1]
"""


def test_tested_code_sees_only_its_own_children(run_inner: Run, engine: str) -> None:
    """Loops over wait, psutil and SIGCHLD never meet a helper of ours."""
    run_inner(OWN_CHILDREN).assert_outcomes(passed=4)


# -- what the user has around the run ------------------------------------------------


def test_a_run_in_a_pane_of_the_users_tmux_leaves_that_alone(
    pytester: pytest.Pytester, tmux_pane: Pane, tmux_server: Server
) -> None:
    """Bare tmux commands of the tested code do not reach it either."""
    pytester.makepyfile(
        test_inner="""
        import subprocess

        def test_it(tmux_server, tmux_session, tmux_pane):
            tmux = tmux_pane.run("echo $TMUX").output
            assert tmux.startswith(tmux_server.socket_path)
            for command in ("list-sessions", "kill-session", "kill-server"):
                assert subprocess.run(["tmux", command]).returncode != 0
            assert len(tmux_server.sessions) == 1
        """
    )
    command = f"cd {pytester.path} && {sys.executable} -m pytest -p no:cacheprovider"
    result = tmux_pane.run(command, timeout=60)
    assert "1 passed" in result.output
    assert result.exit_code == 0
    assert [pane.id for pane in tmux_server.panes] == [tmux_pane.id]


def test_kill_server_in_tested_code_reaches_no_default_server(
    run_inner: Run, tmux_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the one of the user's environment, nor the test's own."""
    tmux_server.new_session()
    monkeypatch.setenv("TMUX_TMPDIR", tmux_server.env["TMUX_TMPDIR"])
    monkeypatch.setenv("TMUX", f"{tmux_server.socket_path},{tmux_server.pid},0")
    run_inner(
        """
        import subprocess

        def test_it(tmux_server, tmux_session):
            assert subprocess.run(["tmux", "kill-server"]).returncode != 0
            assert tmux_server.is_running
        """
    ).assert_outcomes(passed=1)
    assert tmux_server.is_running
    assert len(tmux_server.sessions) == 1


def test_a_tmux_server_that_is_named_and_not_there_does_not_matter(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TMUX of a server that has died."""
    monkeypatch.setenv("TMUX", "/nonexistent/tmux-0/default,4194300,0")
    monkeypatch.setenv("TMUX_PANE", "%7")
    run_inner(PASSING).assert_outcomes(passed=1)


@pytest.mark.parametrize("home", [None, "", "/nonexistent", "/dev/null"])
def test_a_home_that_is_missing_does_not_matter(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    """Unset, empty, not there, no directory."""
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    run_inner(PASSING).assert_outcomes(passed=1)


@pytest.mark.parametrize("kind", ["missing", "file", "long"])
def test_a_tmpdir_that_cannot_hold_a_socket_does_not_matter(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """Not there, no directory, or 150 characters long."""
    path = tmp_path / kind
    if kind == "file":
        path.touch()
    elif kind == "long":
        path /= "x" * (149 - len(str(path)))
        path.mkdir(parents=True)
        assert len(str(path)) == 150
    monkeypatch.setenv("TMPDIR", str(path))
    run_inner(PASSING).assert_outcomes(passed=1)


def test_what_the_user_has_configured_does_not_matter(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A tmux.conf that would break everything, and start-up files that exit."""
    broken = (
        "set -g default-command 'exit 1'\nset -g default-shell /bin/false\n"
        "set -g remain-on-exit on\nset -g base-index 7\nno-such-command\n"
        "set-hook -g after-new-session kill-server\nrun-shell 'sleep 1000'\n"
    )
    (tmp_path / ".tmux.conf").write_text(broken)
    (tmp_path / ".config" / "tmux").mkdir(parents=True)
    (tmp_path / ".config" / "tmux" / "tmux.conf").write_text(broken)
    for name in (".bashrc", ".profile", ".bash_profile", ".inputrc"):
        (tmp_path / name).write_text("exit 9\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("BASH_ENV", str(tmp_path / ".bashrc"))
    monkeypatch.setenv("ENV", str(tmp_path / ".profile"))
    run_inner(PASSING).assert_outcomes(passed=1)


def test_signals_that_pytest_ignores_are_not_ignored_in_a_pane(run_inner: Run) -> None:
    """As under nohup, which only pytest itself was meant to get."""
    run_inner(
        """
        import signal

        def test_it(tmux_pane):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            status = tmux_pane.run("sh -c 'cat /proc/self/status'").output
            masks = dict(line.split(":", 1) for line in status.splitlines())
            # 32 and 33 belong to the C library, whose posix_spawn ignores them.
            assert int(masks["SigIgn"], 16) & ~(3 << 31) == 0
            assert int(masks["SigBlk"], 16) == 0
        """,
        through=("nohup",),
    ).assert_outcomes(passed=1)


def test_open_descriptors_of_the_test_stay_out_of_panes(
    run_inner: Run, engine: str
) -> None:
    """Those opened before the reaper started, and before the server did."""
    run_inner(
        """
        import os
        import pytest

        @pytest.fixture(autouse=True)
        def opened_before():
            fd = os.open("/dev/null", os.O_RDONLY)
            os.set_inheritable(fd, True)
            yield
            os.close(fd)

        def test_it(tmux_server_factory):
            read_end, write_end = os.pipe()
            os.set_inheritable(write_end, True)
            pane = tmux_server_factory().new_session().pane
            os.close(write_end)
            assert os.read(read_end, 1) == b""
            os.close(read_end)
            assert pane.run("sh -c 'ls /proc/$$/fd'").output.split() == ["0", "1", "2"]
        """
    ).assert_outcomes(passed=1)


# -- the environment ----------------------------------------------------------------


def test_the_environment_is_guarded_during_a_test_and_restored(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TMUX and TMUX_PANE are away, TMUX_TMPDIR is the test's own."""
    monkeypatch.setenv("TMUX", "/users/server,1,0")
    monkeypatch.setenv("TMUX_PANE", "%1")
    monkeypatch.delenv("TMUX_TMPDIR", raising=False)
    run_inner(
        """
        import os

        def test_guarded(tmux_server):
            assert "TMUX" not in os.environ and "TMUX_PANE" not in os.environ
            assert os.path.isdir(os.environ["TMUX_TMPDIR"])
            assert os.environ["TMUX_TMPDIR"] != tmux_server.env["TMUX_TMPDIR"]

        def test_restored():
            assert os.environ["TMUX"] == "/users/server,1,0"
            assert os.environ["TMUX_PANE"] == "%1"
            assert "TMUX_TMPDIR" not in os.environ
        """
    ).assert_outcomes(passed=2)


def test_a_pane_gets_what_the_test_has_set_and_nothing_of_ours(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's other variables, and those of pytest and tmux, stay out."""
    for name in ("TMUXLIFE_TIMEOUT", "TMUXLIFE_MARK", "COLUMNS"):
        monkeypatch.setenv(name, "33")
    monkeypatch.setenv("SECRET_OF_THE_USER", "x")
    run_inner(
        """
        import pytest

        @pytest.fixture
        def given(monkeypatch):
            monkeypatch.setenv("GIVEN_BY_TEST", "a b")
            monkeypatch.setenv("TMUXLIFE_SIZE", "9x9")

        def test_it(given, tmux_server, tmux_pane):
            lines = tmux_pane.run("env").output.splitlines()
            env = dict(line.split("=", 1) for line in lines if "=" in line)
            assert env["GIVEN_BY_TEST"] == "a b"
            assert env["TMUX"].startswith(tmux_server.socket_path + ",")
            assert env["TMUXLIFE_MARK"] == tmux_server.supervisor.mark
            strange = {"TMUXLIFE_TIMEOUT", "TMUXLIFE_SIZE", "COLUMNS"}
            assert not (strange | {"SECRET_OF_THE_USER"}) & set(env)
            assert not [name for name in env if name.startswith("PYTEST")]
        """
    ).assert_outcomes(passed=1)
