"""The end of a pane: its exit status, and that it is gone."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable

import pytest
from panes import wait_for_program

from pytest_tmuxlife import (
    ExitStatus,
    Pane,
    PaneDied,
    Server,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.dialogue import exits

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=30)


@pytest.fixture(params=["kernel", "tmux"])
def teller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who says how a process ended: both ways are tried where there are both."""
    if request.param == "tmux":
        monkeypatch.setattr(exits, "kernel_tells", lambda: False)
    elif not exits.kernel_tells():
        pytest.skip("this kernel does not tell how a process ended")
    return str(request.param)


@pytest.fixture
def kernel() -> None:
    """It says how a process ended."""
    if not exits.kernel_tells():
        pytest.skip("this kernel does not tell how a process ended")


def once_waited_for(server: Server, pane: Pane, act: Callable[[], object]) -> None:
    """Do something to a pane once it remains: tmux keeps the status then only."""
    look = ("display-message", "-p", "-t", pane.id, "#{remain-on-exit}")

    def wait_and_act() -> None:
        deadline = Deadline(30)
        while not deadline.expired and server.cmd(*look).stdout == ["off"]:
            select.select([], [], [], 0.01)
        act()

    threading.Thread(target=wait_and_act, daemon=True).start()


def no_wait_leaves_an_option(server: Server) -> None:
    """The option remain-on-exit is as it was."""
    assert server.cmd("show-options", "-p").stdout == []


@pytest.mark.parametrize("code", [0, 7, 255])
def test_exit_status_is_exact(
    tmux_server: Server, tmux_pane: Pane, code: int, teller: str
) -> None:
    pane = tmux_server.new_pane(f"read go; exit {code}")
    if teller == "tmux":
        once_waited_for(tmux_server, pane, lambda: pane.send_key("Enter"))
    else:
        pane.send_key("Enter")
    assert pane.wait_for_exit() == ExitStatus(code, None)
    pane.wait_gone()
    no_wait_leaves_an_option(tmux_server)


def test_status_is_told_while_the_process_is_waited_for(kernel: None) -> None:
    """Asked in that very moment, the kernel says once in 500 times that it is gone."""
    for _ in range(500):
        pid = os.posix_spawn("/bin/false", ["false"], {})
        pidfd = os.pidfd_open(pid)
        waiter = threading.Thread(target=os.waitpid, args=(pid, 0))
        waiter.start()
        try:
            status = None
            while status is None:
                status = exits.kernel_status(pidfd)
        finally:
            waiter.join()
            os.close(pidfd)
        assert status == ExitStatus(1, None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_signal_that_ended_it_is_exact(
    tmux_server: Server, tmux_pane: Pane, number: int, teller: str
) -> None:
    pane = tmux_server.new_pane(["sleep", "1000"])

    def end() -> None:
        signal.pidfd_send_signal(pane.pidfd, number)

    if teller == "tmux":
        once_waited_for(tmux_server, pane, end)
    else:
        end()
    assert pane.wait_for_exit() == ExitStatus(None, number)
    pane.wait_gone()


@pytest.mark.usefixtures("teller")
def test_exit_of_a_pane_that_remains_is_told_as_often_as_asked(
    tmux_server: Server,
) -> None:
    pane = tmux_server.new_pane("exit 3", remain_on_exit=True)
    assert pane.wait_for_exit() == ExitStatus(3, None)
    assert pane.wait_for_exit() == ExitStatus(3, None)
    with pytest.raises(WaitTimeout, match="remain-on-exit keeps it"):
        pane.wait_gone(timeout=0.1)


@pytest.mark.usefixtures("teller")
def test_exit_that_does_not_come_shows_the_screen(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_pane.run("echo on the screen")
    with pytest.raises(WaitTimeout, match=r"no exit on pane %0 in 0.1 s") as caught:
        tmux_pane.wait_for_exit(timeout=0.1)
    assert "on the screen" in str(caught.value)
    no_wait_leaves_an_option(tmux_server)


@pytest.mark.usefixtures("kernel")
def test_end_before_the_call_is_told_by_the_kernel(tmux_server: Server) -> None:
    tmux_server.new_session()
    pane = tmux_server.new_pane("read go; exit 5")
    pane.send_key("Enter")
    pane.wait_gone()
    assert pane.wait_for_exit() == ExitStatus(5, None)


def test_end_before_the_call_that_nobody_knows_is_an_error(
    tmux_server: Server, tmux_pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exits, "kernel_tells", lambda: False)
    pane = tmux_server.new_pane("read go; exit 5")
    pane.send_key("Enter")
    pane.wait_gone()
    with pytest.raises(TmuxLifeError, match="how is not known: its pane is gone"):
        pane.wait_for_exit()


@pytest.mark.usefixtures("kernel")
def test_exit_comes_with_the_end_of_the_server(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """tmux hangs up a sleeper, which ends by that."""
    pane = tmux_server.new_pane(["sleep", "1000"])
    killer = threading.Timer(0.2, tmux_server.kill)
    killer.start()
    started = Deadline(60)
    assert pane.wait_for_exit(timeout=50) == ExitStatus(None, signal.SIGHUP)
    assert started.elapsed < 20
    killer.join()
    pane.wait_gone()


def test_pane_that_is_killed_is_gone(tmux_server: Server, tmux_pane: Pane) -> None:
    pane = tmux_server.new_pane(["sleep", "1000"])
    tmux_server.cmd("kill-pane", "-t", pane.id)
    pane.wait_gone()
    assert pane.has_ended
    assert [other.id for other in tmux_server.panes] == [tmux_pane.id]


def test_pane_whose_program_ignores_the_hang_up_is_not_gone(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    program = "trap '' HUP; exec sleep 1000"
    pane = tmux_server.new_pane(program)
    wait_for_program(pane, "sleep")
    tmux_server.cmd("kill-pane", "-t", pane.id)
    with pytest.raises(WaitTimeout, match="alive, though its pane is gone") as caught:
        pane.wait_gone(timeout=0.2)
    assert caught.value.screen is None
    signal.pidfd_send_signal(pane.pidfd, signal.SIGKILL)
    pane.wait_gone()


@pytest.mark.usefixtures("kernel")
def test_exit_that_a_stopped_server_has_not_waited_for_is_named(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """The process is a zombie then: nobody knows yet how it ended."""
    os.kill(tmux_server.pid, signal.SIGSTOP)
    try:
        signal.pidfd_send_signal(tmux_pane.pidfd, signal.SIGKILL)
        with pytest.raises(WaitTimeout, match="did not answer"):
            tmux_pane.wait_for_exit(timeout=0.1)
    finally:
        os.kill(tmux_server.pid, signal.SIGCONT)
    assert tmux_pane.wait_for_exit() == ExitStatus(None, signal.SIGKILL)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (ExitStatus(7, None), "exit status 7"),
        (ExitStatus(None, signal.SIGKILL), "signal 9 (SIGKILL)"),
        (ExitStatus(None, 40), "signal 40 (a real-time signal)"),
    ],
)
def test_exit_status_in_words(status: ExitStatus, shown: str) -> None:
    assert str(status) == shown


@pytest.fixture
def replaced(tmux_server: Server, tmux_pane: Pane) -> Pane:
    """A pane whose program is another one now."""
    assert tmux_server.cmd("respawn-pane", "-k", "-t", tmux_pane.id, "cat").ok
    tmux_pane.wait_for_exit()
    return tmux_pane


@pytest.mark.usefixtures("kernel")
def test_program_that_was_replaced_is_named(
    tmux_server: Server, replaced: Pane
) -> None:
    with pytest.raises(PaneDied, match=r"in its place \(respawn-pane\?\)"):
        replaced.send_line("x")
    with pytest.raises(PaneDied, match=r"in its place \(respawn-pane\?\)"):
        replaced.is_at_prompt()
    (other,) = tmux_server.panes
    assert other is not replaced
    other.send_line("x")
    other.wait_for_text("x")


@pytest.mark.usefixtures("kernel")
def test_pane_that_goes_on_with_another_program_is_not_gone(replaced: Pane) -> None:
    with pytest.raises(WaitTimeout, match="another program runs in it"):
        replaced.wait_gone(timeout=0)


@pytest.mark.usefixtures("kernel")
def test_pane_that_remains_after_the_end_is_not_gone(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("true", remain_on_exit=True)
    pane.wait_for_exit()
    with pytest.raises(WaitTimeout, match="remain-on-exit keeps it"):
        pane.wait_gone(timeout=0)


def test_wait_ends_once_another_program_has_the_pane(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    assert tmux_server.cmd("respawn-pane", "-k", "-t", tmux_pane.id, "cat").ok
    for wait in (tmux_pane.wait_for_prompt, lambda: tmux_pane.wait_for_text("never")):
        with pytest.raises(PaneDied, match=r"in its place \(respawn-pane\?\)"):
            wait()
