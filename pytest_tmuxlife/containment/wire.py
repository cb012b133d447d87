"""Messages between pytest and the helpers: a length, then marshal data.

Both ends are the same Python executable of one run, so marshal's format
fits; it is built in, and a helper that imports little starts sooner.
"""

from __future__ import annotations

import array
import marshal
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("=I")
# Below the size from which malloc would map memory anew for each message.
MAX_CHUNK = 1 << 16


def pack(message: Any) -> bytes:
    """One message as bytes on the wire."""
    data = marshal.dumps(message)
    return _LENGTH.pack(len(data)) + data


def split(data: bytes) -> tuple[list[Any], bytes, int]:
    """The whole messages in *data*, the rest, and the bytes that it needs."""
    messages = []
    start, needed = 0, _LENGTH.size
    while len(data) - start >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(data, start)
        needed = _LENGTH.size + length
        if len(data) - start < needed:
            break
        messages.append(marshal.loads(data[start + _LENGTH.size : start + needed]))
        start, needed = start + needed, _LENGTH.size
    return messages, data[start:], needed


class Inbox:
    """Takes bytes in any pieces and gives whole messages.

    Attributes:
        chunks: What was taken in and not given yet. Whoever can be interrupted
            anywhere puts bytes there himself, in one step.
    """

    __slots__ = ("_needed", "_seen", "chunks")

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self._needed = 0
        self._seen: tuple[int, bytes, int] | None = None

    def feed(self, data: bytes) -> list[Any]:
        """Add *data*; return the messages that are complete now, in order."""
        self.chunks.append(data)
        messages = self.peek()
        self.drop()
        return messages

    def peek(self) -> list[Any]:
        """The messages that are complete, in order; they stay until `drop`."""
        self._seen = None
        chunks = self.chunks[:]
        if sum(map(len, chunks)) < self._needed:
            return []
        messages, rest, needed = split(b"".join(chunks))
        self._seen = len(chunks), rest, needed
        return messages

    def drop(self) -> None:
        """Let go of the messages that `peek` gave, and of no later ones."""
        if self._seen is None:
            return
        count, rest, needed = self._seen
        # Interrupted in between, the next `peek` must not wait for too much.
        self._needed, self._seen = 0, None
        self.chunks[:count] = [rest]
        self._needed = needed


def send_with_descriptor(sock: socket.socket, message: Any, descriptor: int) -> None:
    """Send *message* and a copy of *descriptor* with its first byte.

    Source: unix(7), SCM_RIGHTS.
    """
    data = pack(message)
    rights = array.array("i", [descriptor]).tobytes()
    sent = sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    sock.sendall(data[sent:])


def receive_with_descriptors(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Receive what is there and the descriptors that came along.

    The descriptors are closed at exec. Empty bytes mean end of file.
    """
    data, ancillary, _, _ = sock.recvmsg(
        MAX_CHUNK, socket.CMSG_SPACE(16), socket.MSG_CMSG_CLOEXEC
    )
    descriptors = array.array("i")
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            whole = len(rights) - len(rights) % descriptors.itemsize
            descriptors.frombytes(rights[:whole])
    return data, list(descriptors)
