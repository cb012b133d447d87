"""What the fixtures give: servers, sessions, panes, their options and environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from inner import Inner
from panes import tmux
from runs import eventually

from pytest_tmuxlife import (
    BASH,
    DASH,
    Pane,
    Program,
    Server,
    ServerFactory,
    ServerNotRunning,
    Session,
    TmuxLifeError,
)
from pytest_tmuxlife.containment import kernel

LIMIT = 30.0


# -- the ladder ----------------------------------------------------------------


def test_pane_session_and_server_are_one_ladder(
    tmux_server: Server, tmux_session: Session, tmux_pane: Pane
) -> None:
    assert tmux_server.sessions == [tmux_session]
    assert tmux_session.panes == [tmux_pane]
    assert tmux_session.pane is tmux_pane
    assert tmux_pane.is_at_prompt()


def test_server_without_a_session_stays_up(tmux_server: Server) -> None:
    assert tmux_server.cmd("list-sessions").stdout == []
    assert tmux_server.sessions == []
    assert tmux_server.panes == []
    assert tmux_server.is_running


def test_server_ends_with_its_last_session(tmux_server: Server) -> None:
    """As tmux does; the first session may be the tested code's own."""
    pidfd = os.pidfd_open(tmux_server.pid)
    try:
        first, second = tmux_server.new_session(), tmux_server.new_session()
        first.kill()
        assert tmux_server.sessions == [second]
        second.kill()
        assert kernel.has_exited(pidfd, LIMIT)
    finally:
        os.close(pidfd)
    assert not tmux_server.is_running
    assert tmux_server.sessions == []
    with pytest.raises(ServerNotRunning, match="it has ended, or the last"):
        tmux_server.cmd("list-sessions")


def test_server_shows_no_trace_of_its_first_empty_moment(
    tmux_server: Server,
) -> None:
    """``exit-empty`` is as tmux has it, and no hook of ours stays."""
    assert tmux_server.cmd("show-options", "-s", "exit-empty").stdout == [
        "exit-empty off"
    ]
    tmux_server.new_session()
    assert tmux_server.cmd("show-options", "-s", "exit-empty").stdout == [
        "exit-empty on"
    ]
    hooks = tmux_server.cmd("show-hooks", "-g").stdout
    assert not [line for line in hooks if line.startswith("session-created[")]


def test_factory_makes_servers_that_do_not_know_each_other(
    tmux_server_factory: ServerFactory,
) -> None:
    one, other = tmux_server_factory(), tmux_server_factory(size=(100, 30))
    one.new_session("only-here")
    assert other.sessions == []
    assert one.socket_path != other.socket_path
    assert other.new_session().pane.screen().size == (100, 30)


def test_bare_tmux_in_a_subprocess_reaches_the_server(
    tmux_server: Server, tmux_env: dict[str, str]
) -> None:
    tmux(tmux_env, "new-session", "-d", "-s", "theirs")
    assert [session.name for session in tmux_server.sessions] == ["theirs"]
    assert "TMUX" not in tmux_env
    tmux(tmux_env, "kill-server")
    assert eventually(lambda: not tmux_server.is_running, LIMIT)


def test_bare_tmux_of_the_test_reaches_no_server_of_the_user(
    tmux_server: Server,
) -> None:
    """``os.environ`` has a TMUX_TMPDIR of its own, and no TMUX."""
    run_directory = Path(os.environ["TMUX_TMPDIR"]).parent
    assert Path(tmux_server.socket_path).is_relative_to(run_directory)
    assert "TMUX" not in os.environ
    assert "TMUX_PANE" not in os.environ
    done = subprocess.run(
        ["tmux", "kill-server"], capture_output=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 1
    assert tmux_server.is_running


def test_environment_is_restored_after_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        BEFORE = {name: os.environ.get(name) for name in
                  ("TMUX", "TMUX_PANE", "TMUX_TMPDIR")}

        def test_first(tmux_pane, monkeypatch):
            assert "TMUX" not in os.environ
            monkeypatch.setenv("TMUX", "of the test")

        def test_second():
            assert {name: os.environ.get(name) for name in BEFORE} == BEFORE
            assert os.environ["TMUX"] == "/nonexistent/socket,1,0"
        """
    )
    pytester._monkeypatch.setenv("TMUX", "/nonexistent/socket,1,0")
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


# -- Server, Session -----------------------------------------------------------


def test_cmd_gives_lines_status_and_complaint(
    tmux_server: Server, tmux_session: Session
) -> None:
    done = tmux_server.cmd("display-message", "-p", "one;two #{l:three}")
    assert (done.returncode, done.stdout, done.stderr) == (0, ["one;two three"], [])
    refused = tmux_server.cmd("kill-session", "-t", "nobody")
    assert not refused.ok
    assert refused.stderr == ["can't find session: nobody"]


@pytest.mark.parametrize(
    "program",
    [
        ["cat"],
        ["cat", "-"],
        "exec cat # a line for the shell",
        Program(["cat"], name="copier"),
    ],
    ids=["one-word argv", "argv", "shell line", "Program"],
)
def test_new_pane_runs_any_form_of_program(tmux_server: Server, program: Any) -> None:
    pane = tmux_server.new_pane(program)
    pane.send_line("said once")
    pane.wait_for_text("said once")
    assert eventually(lambda: pane.processes()[0].name == "cat", LIMIT)


def test_one_word_argv_is_no_shell_line(tmux_server: Server, tmp_path: Path) -> None:
    """A program whose name holds a blank and a semicolon is started as it is."""
    odd = tmp_path / "odd; name"
    odd.write_text("#!/bin/sh\necho started; exec cat\n")
    odd.chmod(0o755)
    tmux_server.new_pane([str(odd)]).wait_for_text("started")


def test_presets_start_by_name(tmux_server: Server) -> None:
    for name, program in (("bash", BASH), ("dash", DASH)):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        assert (
            tmux_server.new_pane(name).program == tmux_server.new_pane(program).program
        )


def test_unknown_program_is_refused_before_anything_starts(
    tmux_server: Server, tmux_session: Session
) -> None:
    with pytest.raises(TmuxLifeError, match="program not found: no-such-program"):
        tmux_server.new_pane(["no-such-program"])
    assert tmux_server.sessions == [tmux_session]


def test_kill_returns_once_the_server_is_gone(tmux_server: Server) -> None:
    tmux_server.new_session()
    pid = tmux_server.pid
    tmux_server.kill()
    assert not tmux_server.is_running
    running = [one.pid for one in tmux_server.processes() if not one.is_zombie]
    assert pid not in running
    tmux_server.kill()


def test_processes_are_the_server_and_all_below(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    pids = [process.pid for process in tmux_server.processes()]
    assert pids[0] == tmux_server.pid
    assert tmux_pane.pid in pids
    assert [process.pid for process in tmux_pane.processes()] == [tmux_pane.pid]


def test_session_can_be_renamed_and_killed(
    tmux_server: Server, tmux_session: Session
) -> None:
    other = tmux_server.new_session("before #{pid};")
    assert other.name == "before #{pid};"
    other.rename("after #S;")
    assert other.name == "after #S;"
    with pytest.raises(TmuxLifeError, match="duplicate session"):
        other.rename(tmux_session.name)
    other.kill()
    assert not other.exists
    assert other.panes == []
    other.kill()
    assert tmux_server.sessions == [tmux_session]


@pytest.mark.parametrize("name", ["", "a.b", "a:b", "a\\b", "a\nb"])
def test_session_name_that_tmux_would_change_is_refused(
    tmux_server: Server, name: str
) -> None:
    with pytest.raises(TmuxLifeError, match=r"must be printable, not empty, and"):
        tmux_server.new_session(name)
    assert tmux_server.sessions == []


def test_session_lists_panes_of_the_tested_code(tmux_session: Session) -> None:
    tmux_session.libtmux.active_window.split()
    first, second = tmux_session.panes
    assert first is tmux_session.pane
    assert first.id != second.id


def test_libtmux_sees_and_drives_the_same_server(
    tmux_server: Server, tmux_session: Session, tmux_pane: Pane
) -> None:
    server = tmux_server.libtmux
    assert [one.session_id for one in server.sessions] == [tmux_session.id]
    assert len(server.windows) == 1
    (pane,) = server.panes
    assert pane.pane_id == tmux_pane.id
    pane.send_keys("echo by-$((1+1))-hands", enter=True)
    tmux_pane.wait_for_text("by-2-hands")
    made = server.new_session(session_name="theirs")
    assert [session.name for session in tmux_server.sessions][-1] == made.session_name


def test_session_that_is_gone_is_none_of_libtmux_s(tmux_server: Server) -> None:
    tmux_server.new_session()
    gone = tmux_server.new_session()
    gone.kill()
    with pytest.raises(TmuxLifeError, match=rf"session \{gone.id} is gone"):
        _ = gone.libtmux
    tmux_server.kill()
    with pytest.raises(TmuxLifeError, match=rf"session \{gone.id} is gone"):
        _ = gone.libtmux


# -- forks ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        "server.new_session()",
        "server.cmd('list-sessions')",
        "server.kill()",
        "factory()",
    ],
)
def test_forked_child_is_told_that_it_holds_no_server(
    tmux_server_factory: ServerFactory, use: str
) -> None:
    """The parent's server stays as it was."""
    server = tmux_server_factory()
    session = server.new_session()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            eval(use, {"server": server, "factory": tmux_server_factory})
            os.write(write_end, b"no error")
        except BaseException as error:
            os.write(write_end, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as said:
        answer = said.read()
    os.waitpid(child, 0)
    assert answer.startswith("TmuxLifeError: this process was forked from pytest")
    assert server.sessions == [session]


# -- the running check ------------------------------------------------------------


def test_only_what_may_be_kept_outlives_its_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a leak, and beside what is allowed until the verdict."""
    inner = Inner(pytester, monkeypatch)
    result = inner.run(
        """
        from pytest_tmuxlife.containment.identity import Identity

        def test_three(tmux_pane, tmux_leaks, leave):
            for seconds in (1001, 1002, 1003):
                leave(tmux_pane, seconds)
            tmux_leaks.ignore("sleep 1001", reason="others need it", keep=True)
            tmux_leaks.ignore("sleep 1002", reason="it may be slow")

        def test_after(request):
            lines = (request.path.parent / "survivors").read_text().splitlines()
            alive = [Identity.parse(line).is_alive for line in lines]
            assert alive == [True, False, False]
        """
    )
    result.stdout.fnmatch_lines(["1 process outlived tmux server *"])
    result.assert_outcomes(passed=2, failed=1)
    inner.assert_all_gone(3)
