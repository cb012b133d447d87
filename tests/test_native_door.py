"""The native door: the same answers as a tmux process, and no harm from a bad peer."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_tmuxlife import Pane, Server, ServerNotRunning
from pytest_tmuxlife.terminal.door import ProcessDoor
from pytest_tmuxlife.terminal.native import (
    NativeDoor,
    ServerGone,
    UnexpectedAnswer,
)

HEADER = struct.Struct("=IHHII")


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


# -- bad peers ---------------------------------------------------------------

Peer = Callable[[socket.socket], None]


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Callable[[Peer], NativeDoor]]:
    """Something that is no tmux listens on the socket."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def start(behave: Peer) -> NativeDoor:
        listener = socket.socket(socket.AF_UNIX)
        listeners.append(listener)
        path = str(tmp_path / "s")
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        threads.append(thread)
        return NativeDoor(path)

    yield start
    for thread in threads:
        thread.join(10)
    for listener in listeners:
        listener.close()


def send(kind: int, body: bytes = b"", *, version: int = 8, size: int = 0) -> Peer:
    size = size or HEADER.size + len(body)
    message = HEADER.pack(kind, size, 0, version, 0) + body
    return lambda connection: connection.sendall(message)


@pytest.mark.parametrize(
    "behave",
    [
        send(12, version=7),
        send(203, version=9),
        send(203, size=3),
        send(203, size=60000),
        send(999),
        send(303, struct.pack("=iii", 3, 7, 0)),
        send(304, struct.pack("=i", 5) + b"data"),
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ],
    ids=[
        "says it has another version",
        "answers in another version",
        "a message shorter than its header",
        "a message longer than any",
        "an unknown message",
        "writes to a descriptor that is not ours",
        "writes to a stream it never opened",
        "speaks HTTP",
    ],
)
def test_unexpected_answer_asks_for_the_other_door(
    peer: Callable[[Peer], NativeDoor], behave: Peer
) -> None:
    with pytest.raises(UnexpectedAnswer):
        peer(behave).call(["list-sessions"], stdin=b"", timeout=5)


def test_peer_that_hangs_up_is_a_server_that_is_gone(
    peer: Callable[[Peer], NativeDoor],
) -> None:
    with pytest.raises(ServerGone):
        peer(lambda connection: None).call(["list-sessions"], stdin=b"", timeout=5)


def test_peer_that_is_silent_ends_in_a_timeout(
    peer: Callable[[Peer], NativeDoor],
) -> None:
    done = threading.Event()

    def keep_silent(_: socket.socket) -> None:
        done.wait(10)

    door = peer(keep_silent)
    answer = door.call(["list-sessions"], stdin=b"", timeout=0.2)
    done.set()
    assert answer.timed_out


def test_command_too_long_for_one_message_goes_by_process(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """tmux itself refuses it; what matters is that both doors agree."""
    reply = tmux_server.cmd("display-message", "-p", "x" * 20_000)
    assert not NativeDoor.fits(["display-message", "-p", "x" * 20_000])
    assert not reply.ok
    assert "too long" in "".join(reply.stderr)


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
