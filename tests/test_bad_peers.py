"""The native door, and who else may listen on a socket: no harm, no hang, no leak."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from peers import (
    ANSWER,
    LONG,
    OPENED,
    SHORT,
    WRITTEN,
    Peer,
    ask,
    listening,
    message,
    says,
)

from pytest_tmuxlife.terminal.tmux.door import Answer
from pytest_tmuxlife.terminal.tmux.native import (
    NativeDoor,
    ServerGone,
    UnexpectedAnswer,
)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """Of the socket; the calls of the test leave no descriptor behind."""
    before = os.listdir("/proc/self/fd")
    yield str(tmp_path / "s")
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.fixture
def peer(path: str) -> Iterator[Callable[..., NativeDoor]]:
    """The door to one that behaves so."""
    with ExitStack() as stack:

        def start(behave: Peer, *, reads: bool = True) -> NativeDoor:
            stack.enter_context(listening(path, behave, reads=reads))
            return NativeDoor(path)

        yield start


def test_peer_that_speaks_as_tmux_does_is_understood(
    peer: Callable[..., NativeDoor],
) -> None:
    """So the ones below fail for what is wrong with them."""
    assert ask(peer(says(ANSWER))) == Answer(0, b"0: one session\n", b"")


@pytest.mark.parametrize(
    "behave",
    [
        says(message(12, version=7)),
        says(message(203, version=9)),
        says(message(203, size=3)),
        says(message(203, size=60000)),
        says(message(999)),
        says(message(303, struct.pack("=iii", 3, 7, 0))),
        says(message(304, struct.pack("=i", 5) + b"data")),
        says(message(303)),
        says(message(304)),
        says(message(300)),
        says(message(300, struct.pack("=ii", 3, 5))),
        says(message(203, b"x")),
        says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        says(b"SSH-2.0-OpenSSH_9.2\r\n"),
        says(b"\0" * 64),
        says(b"\xff" * 64),
    ],
    ids=[
        "says it has another version",
        "answers in another version",
        "a message shorter than its header",
        "a message longer than any",
        "an unknown message",
        "writes to a descriptor that is not ours",
        "writes to a stream it never opened",
        "opens a stream without a number",
        "writes to a stream without a number",
        "reads from a stream without a number",
        "reads from a descriptor that is not our input",
        "an exit status of one byte",
        "speaks HTTP",
        "speaks SSH",
        "zeros",
        "ones",
    ],
)
def test_unexpected_answer_asks_for_the_other_door(
    peer: Callable[..., NativeDoor], behave: Peer
) -> None:
    with pytest.raises(UnexpectedAnswer):
        ask(peer(behave))


def test_answer_that_is_cut_anywhere_is_a_server_that_is_gone(
    peer: Callable[..., NativeDoor],
) -> None:
    lengths = iter(range(len(ANSWER)))
    door = peer(lambda connection: connection.sendall(ANSWER[: next(lengths)]))
    for _ in range(len(ANSWER)):
        with pytest.raises(ServerGone):
            ask(door)


def test_answer_that_comes_in_single_bytes_is_whole(
    peer: Callable[..., NativeDoor],
) -> None:
    def drip(connection: socket.socket) -> None:
        for byte in ANSWER:
            connection.sendall(bytes([byte]))

    assert ask(peer(drip)).stdout == b"0: one session\n"


def test_answer_with_a_wrong_byte_ends_in_nothing_else_than_is_documented(
    peer: Callable[..., NativeDoor],
) -> None:
    """Each byte of it in turn; most of them make it another protocol."""
    answers = iter(
        ANSWER[:place] + bytes([ANSWER[place] ^ flip]) + ANSWER[place + 1 :]
        for place in range(len(ANSWER))
        for flip in (0x01, 0x80, 0xFF)
    )
    door = peer(lambda connection: connection.sendall(next(answers)))
    ends: set[type] = set()
    for _ in range(3 * len(ANSWER)):
        try:
            ends.add(type(ask(door)))
        except (UnexpectedAnswer, ServerGone) as error:
            ends.add(type(error))
    assert ends == {Answer, UnexpectedAnswer, ServerGone}


def test_garbage_ends_in_nothing_else_than_is_documented(
    peer: Callable[..., NativeDoor],
) -> None:
    chance = random.Random(20)
    door = peer(
        lambda connection: connection.sendall(chance.randbytes(chance.randrange(99)))
    )
    for _ in range(200):
        with pytest.raises((UnexpectedAnswer, ServerGone)):
            ask(door)


def test_peer_that_hangs_up_is_a_server_that_is_gone(
    peer: Callable[..., NativeDoor],
) -> None:
    with pytest.raises(ServerGone):
        ask(peer(lambda connection: None))


def test_peer_that_hangs_up_without_a_look_is_a_server_that_is_gone(
    peer: Callable[..., NativeDoor],
) -> None:
    door = peer(lambda connection: None, reads=False)
    for _ in range(50):
        with pytest.raises(ServerGone):
            ask(door)


@pytest.mark.parametrize(
    "first",
    [b"", ANSWER[:7], OPENED, OPENED + WRITTEN[:-3]],
    ids=["nothing", "half a header", "a stream", "half an output"],
)
def test_peer_that_falls_silent_ends_in_a_timeout(
    peer: Callable[..., NativeDoor], first: bytes
) -> None:
    def fall_silent(connection: socket.socket) -> None:
        connection.sendall(first)
        while connection.recv(65536):
            pass

    assert ask(peer(fall_silent), SHORT).timed_out


def test_peer_that_never_stops_talking_ends_in_a_timeout(
    peer: Callable[..., NativeDoor],
) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(OPENED)
        while True:
            connection.sendall(WRITTEN)

    assert ask(peer(talk), SHORT).timed_out


def test_peer_that_takes_no_input_ends_in_a_timeout(
    peer: Callable[..., NativeDoor],
) -> None:
    done = threading.Event()

    def take_nothing(connection: socket.socket) -> None:
        connection.sendall(message(300, struct.pack("=ii", 3, 0)))
        done.wait(LONG)

    door = peer(take_nothing)
    try:
        assert ask(door, SHORT, stdin=b"x" * 10_000_000).timed_out
    finally:
        done.set()


def test_peer_that_hangs_up_on_our_input_is_a_server_that_is_gone(
    peer: Callable[..., NativeDoor],
) -> None:
    door = peer(says(message(300, struct.pack("=ii", 3, 0))))
    with pytest.raises(ServerGone):
        ask(door, stdin=b"x" * 10_000_000)


# -- what stands at the path -------------------------------------------------------


def stale(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)


def datagrams(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)


def loop(path: str) -> None:
    os.symlink(path, path)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        stale,
        datagrams,
        loop,
        os.mkdir,
        os.mkfifo,
        lambda path: Path(path).write_text("text"),
    ],
    ids=[
        "nothing",
        "a socket of nobody",
        "a socket for datagrams of nobody",
        "a link to itself",
        "a directory",
        "a FIFO",
        "a file",
    ],
)
def test_path_where_nobody_listens_is_a_server_that_is_gone(
    path: str, make: Callable[[str], None]
) -> None:
    make(path)
    with pytest.raises(ServerGone):
        ask(NativeDoor(path))


def test_socket_of_another_type_is_a_server_that_is_gone(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        with pytest.raises(ServerGone):
            ask(NativeDoor(path))
