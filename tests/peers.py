"""Who else may listen on a tmux server's socket."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.tmux.door import Answer
from pytest_tmuxlife.terminal.tmux.native import NativeDoor

HEADER = struct.Struct("=IHHII")
# Of calls that end before it, however busy the machine is.
LONG = 60.0
# Of calls that end with it.
SHORT = 0.2
# More than a call whose limit is SHORT takes, however busy the machine is.
SURELY = 30.0

Peer = Callable[[socket.socket], None]


@contextmanager
def listening(path: str, behave: Peer, *, reads: bool = True) -> Iterator[None]:
    """Something that is no tmux: each connection is read from once, and given to it."""
    ended = threading.Event()

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                if ended.is_set():
                    return
                if reads:
                    connection.recv(65536)
                behave(connection)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(path)
            thread.join(LONG)
            assert not thread.is_alive()


def ask(door: NativeDoor, timeout: float = LONG, stdin: bytes = b"") -> Answer:
    """An answer, and never later than its limit says."""
    started = Deadline(timeout + SURELY)
    try:
        return door.call(["list-sessions"], stdin=stdin, timeout=timeout)
    finally:
        assert not started.expired


def message(kind: int, body: bytes = b"", *, version: int = 8, size: int = 0) -> bytes:
    return HEADER.pack(kind, size or HEADER.size + len(body), 0, version, 0) + body


def says(*messages: bytes) -> Peer:
    return lambda connection: connection.sendall(b"".join(messages))


# What tmux says: a stream for its output, some of that, and the end.
OPENED = message(303, struct.pack("=iii", 3, 1, 0))
WRITTEN = message(304, struct.pack("=i", 3) + b"0: one session\n")
EXIT = message(203, struct.pack("=i", 0))
ANSWER = OPENED + WRITTEN + EXIT
