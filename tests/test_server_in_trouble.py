"""A tmux server that stops, dies, or whose socket somebody else has taken."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from panes import Gate
from peers import (
    EXIT,
    LONG,
    OPENED,
    SHORT,
    SURELY,
    WRITTEN,
    Peer,
    ask,
    listening,
    message,
    says,
)

from pytest_tmuxlife import Pane, PaneDied, Server, ServerNotRunning, Session
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.tmux.native import (
    NativeDoor,
)


def test_stopped_server_ends_each_call_in_a_timeout(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """More calls than its queue of connections takes."""
    door = NativeDoor(tmux_server.socket_path)
    before = os.listdir("/proc/self/fd")
    os.kill(tmux_server.pid, signal.SIGSTOP)
    try:
        for _ in range(150):
            assert ask(door, 0.002).timed_out
        with pytest.raises(ServerNotRunning, match=r"did not answer 'list-sessions'"):
            tmux_server.cmd("list-sessions", timeout=SHORT)
    finally:
        os.kill(tmux_server.pid, signal.SIGCONT)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert ask(door).status == 0
    assert tmux_server.cmd("list-sessions").ok


@pytest.mark.tmux(timeout=0.5)
def test_stopped_server_is_not_taken_for_an_empty_one(
    tmux_server: Server, tmux_session: Session
) -> None:
    """What it has is not known: nobody is told that a session is gone."""
    looks = (
        lambda: tmux_server.sessions,
        lambda: tmux_server.panes,
        lambda: tmux_session.panes,
        lambda: tmux_session.exists,
        tmux_session.kill,
    )
    os.kill(tmux_server.pid, signal.SIGSTOP)
    try:
        for look in looks:
            with pytest.raises(ServerNotRunning, match="did not answer"):
                look()
    finally:
        os.kill(tmux_server.pid, signal.SIGCONT)


def test_server_that_dies_in_the_middle_of_an_answer_is_said_to_be_gone(
    tmux_server: Server, tmux_pane: Pane, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    said: list[ServerNotRunning] = []

    def ask_for_what_never_ends() -> None:
        try:
            tmux_server.cmd("run-shell", f"cat {tmp_path}/gate", timeout=LONG)
        except ServerNotRunning as error:
            said.append(error)

    thread = threading.Thread(target=ask_for_what_never_ends)
    thread.start()
    gate.wait_for_reader()
    os.kill(tmux_server.pid, signal.SIGKILL)
    thread.join(LONG)
    gate.open()
    assert len(said) == 1
    assert f"no tmux server on {tmux_server.socket_path}" in str(said[0])


def test_look_that_a_server_ends_with_nothing_says_that_the_pane_is_gone(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """So a server answers that is told to end meanwhile: status 0, and no output."""
    path = tmux_server.socket_path
    os.rename(path, f"{path}.real")
    try:
        with (
            listening(path, says(EXIT)),
            pytest.raises(PaneDied, match="its tmux server has ended"),
        ):
            tmux_pane.screen()
    finally:
        os.rename(f"{path}.real", path)


def ask_server(server: Server) -> str:
    """What is said of a call that cannot be carried out."""
    try:
        reply = server.cmd("list-sessions", timeout=2.0)
    except ServerNotRunning as error:
        return str(error)
    assert not reply.ok
    return reply.stderr[0]


@pytest.mark.parametrize(
    "behave",
    [
        says(message(12, version=7)),
        says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        says(OPENED + WRITTEN[:-3]),
        lambda connection: None,
        lambda connection: connection.recv(65536),
    ],
    ids=["another version", "HTTP", "half an answer", "hangs up", "silent"],
)
def test_impostor_on_the_server_s_socket_is_an_error_within_the_limit(
    tmux_server: Server, tmux_pane: Pane, behave: Peer
) -> None:
    """Through whichever door; tmux itself is asked where the native one gives up."""
    path = tmux_server.socket_path
    os.rename(path, f"{path}.real")
    started = Deadline(2 * SURELY)
    try:
        with listening(path, behave):
            complaint = ask_server(tmux_server)
        assert complaint
        assert not started.expired
    finally:
        os.rename(f"{path}.real", path)
    assert tmux_server.cmd("list-sessions").ok
