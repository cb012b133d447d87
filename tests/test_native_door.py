"""The native door: the same answers as a tmux process, and nobody sees it."""

import pytest

from pytest_tmuxlife import Pane, Server, ServerNotRunning
from pytest_tmuxlife.terminal.tmux.door import ProcessDoor
from pytest_tmuxlife.terminal.tmux.native import NativeDoor, UnexpectedAnswer


@pytest.fixture
def native(tmux_server: Server) -> NativeDoor:
    return NativeDoor(tmux_server.socket_path)


@pytest.fixture
def process(tmux_server: Server) -> ProcessDoor:
    tmux = tmux_server.libtmux.tmux_bin
    assert tmux
    env = tmux_server.env
    return ProcessDoor(tmux_server.supervisor, tmux, tmux_server.socket_path, env)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list-sessions", "-F", "#{session_id} #{session_name}"],
        ["list-panes", "-a", "-F", "#{pane_id} #{pane_pid}"],
        ["display-message", "-p", "é 日本 ☺"],
        ["display-message", "-p", "a", ";", "display-message", "-p", "b"],
        ["display-message", "-p", "ends with \\;"],
        ["capture-pane", "-p"],
        ["show-options", "-g"],
        ["has-session", "-t", "none"],
        ["no-such-command"],
        ["kill-session", "-t", "$99"],
        ["set-buffer", "-b", "x", "-t text"],
        ["list-clients"],
        ["run-shell", "echo from a job"],
    ],
    ids=" ".join,
)
def test_both_doors_give_the_same_answer(
    tmux_pane: Pane, native: NativeDoor, process: ProcessDoor, arguments: list[str]
) -> None:
    expected = process.call(arguments, stdin=b"", timeout=10)
    assert native.call(arguments, stdin=b"", timeout=10) == expected


def test_stdin_of_any_size_arrives_whole(
    tmux_pane: Pane, native: NativeDoor, process: ProcessDoor
) -> None:
    data = bytes(range(1, 128)) * 10_000
    native.call(["load-buffer", "-b", "big", "-"], stdin=data, timeout=10)
    command = ["list-buffers", "-F", "#{buffer_size}"]
    assert native.call(command, stdin=b"", timeout=10).stdout == b"%d\n" % len(data)
    shown = ["show-buffer", "-b", "big"]
    assert process.call(shown, stdin=b"", timeout=10).stdout == data
    assert native.call(shown, stdin=b"", timeout=10).stdout == data


def test_calls_are_invisible_as_clients(tmux_pane: Pane, native: NativeDoor) -> None:
    answer = native.call(["list-clients"], stdin=b"", timeout=10)
    assert (answer.status, answer.stdout) == (0, b"")


def test_no_connection_is_left_that_could_keep_the_server(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """A client that never answers the server's EXIT would hold it for ever."""
    for _ in range(20):
        tmux_server.cmd("list-sessions")
    tmux_server.kill(timeout=5)
    assert not tmux_server.is_running


def test_kill_server_is_answered(tmux_pane: Pane, native: NativeDoor) -> None:
    assert native.call(["kill-server"], stdin=b"", timeout=10).status == 0


def test_server_that_has_ended_is_said_to_be_gone(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_server.kill()
    with pytest.raises(ServerNotRunning, match="no tmux server on"):
        tmux_server.cmd("list-sessions")


def test_server_that_does_not_answer_ends_in_a_timeout(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    with pytest.raises(
        ServerNotRunning, match=r"did not answer 'wait-for' within 0.2 s"
    ):
        tmux_server.cmd("wait-for", "nobody", timeout=0.2)
    assert tmux_server.cmd("list-sessions").ok


def test_server_of_another_protocol_is_talked_to_by_process(
    tmux_server: Server, tmux_pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a newer tmux counts its protocol up."""
    if tmux_server.engine != "native":
        pytest.skip("this run talks by process anyway")

    def refuse(*_: object, **__: object) -> None:
        raise UnexpectedAnswer("protocol version 9")

    monkeypatch.setattr(NativeDoor, "call", refuse)
    assert tmux_pane.run("echo still works").output == "still works\n"
    assert tmux_server.engine == "process"
