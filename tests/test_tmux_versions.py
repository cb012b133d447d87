"""What differs between versions of tmux, on the one that is here and as text."""

from __future__ import annotations

from functools import partial

import pytest
from inner import Inner
from runs import eventually

from pytest_tmuxlife import ExitStatus, Pane, Server
from pytest_tmuxlife.terminal.tmux.differences import (
    NO_PID,
    pane_pid,
    paste_flags,
    with_history_limit,
)

LIMIT = 60.0

pytestmark = pytest.mark.tmux(timeout=30)


def leave_a_dead_pane(server: Server) -> str:
    """Id of a pane that remains, made past our fixtures; nobody has its pid."""
    made = ["new-window", "-d", "-P", "-F", "#{pane_id}", "exit 3"]
    server.cmd("set-option", "-g", "remain-on-exit", "on")
    (pane,) = server.cmd(*made).stdout
    look = ("display-message", "-p", "-t", pane, "#{pane_dead}")
    assert eventually(lambda: server.cmd(*look).stdout == ["1"], LIMIT)
    return pane


def have_it_waited_for(server: Server, pane: str) -> None:
    """On return tmux has waited for the process of a dead pane, and so it has ended."""
    look = ("display-message", "-p", "-t", pane, "#{pane_dead_status}")

    def is_waited_for() -> bool:
        # It loses a SIGCHLD that comes while it runs utempter.
        server.cmd("run-shell", "-b", "true")
        return server.cmd(*look).stdout == ["3"]

    assert eventually(is_waited_for, LIMIT)


def how_it_ended(pane: Pane) -> ExitStatus | None:
    return pane.health().exit_status


def test_pane_that_had_ended_before_anybody_asked_is_listed(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """Though tmux 3.8 does not tell its pid any more."""
    dead = leave_a_dead_pane(tmux_server)
    have_it_waited_for(tmux_server, dead)
    first, second = tmux_server.panes
    assert first is tmux_pane
    assert second.id == dead
    assert second.has_ended
    assert second.processes() == []
    assert tmux_server.panes == [first, second]


def test_health_of_a_pane_that_had_ended_before_anybody_asked(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """tmux loses the SIGCHLD of one in ten: health has it look once more."""
    for number in range(1, 31):
        leave_a_dead_pane(tmux_server)
        pane = tmux_server.panes[number]
        assert eventually(partial(how_it_ended, pane), LIMIT) == ExitStatus(3, None)
        health = pane.health()
        assert health.state == "dead"
        assert "process" in health.why
        assert "process 0 " not in health.why


def test_handle_of_a_pane_that_has_ended_stays_the_same(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    pane = tmux_server.new_pane("exit 3", remain_on_exit=True)
    pid = pane.pid
    assert pane.wait_for_exit() == ExitStatus(3, None)
    assert tmux_server.panes == [tmux_pane, pane]
    assert pane.pid == pid


def test_dead_pane_of_the_shared_server_is_a_leak_and_no_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = Inner(pytester, monkeypatch).run(
        """
        import pytest
        from pytest_tmuxlife.clock import Deadline

        def test_leaves_it(tmux_shared_server):
            session = tmux_shared_server.new_session("kept", remain_on_exit=True)
            pane = session.split(["sh", "-c", "exit 3"])
            pane.wait_for_exit()
            assert not pane.health().is_healthy
            assert pane in tmux_shared_server.panes

        def test_next(tmux_shared_server):
            assert tmux_shared_server.panes == []
        """
    )
    result.stdout.fnmatch_lines(["*LEAKED*test_leaves_it*"])
    result.assert_outcomes(passed=2, failed=1)


# -- as text -----------------------------------------------------------------------


def test_pid_that_is_not_told_is_none() -> None:
    assert pane_pid("4711") == 4711
    assert pane_pid("") == NO_PID


@pytest.mark.parametrize(
    ("usage", "flags"),
    [
        ("paste-buffer (pasteb) [-dpr] [-s separator] [-b buffer-name]", "-dpr"),
        ("paste-buffer (pasteb) [-dprS] [-s separator] [-b buffer-name]", "-dprS"),
    ],
)
def test_paste_asks_for_plain_bytes_where_it_must(usage: str, flags: str) -> None:
    assert paste_flags(usage) == flags


def test_history_limit_that_is_the_server_s_takes_no_command() -> None:
    command = ["new-session", "-d"]
    assert with_history_limit(command, 7, 7) == command
    assert with_history_limit(command, 7, 9)[3:7] == ["7", ";", *command]
