"""The native door: tmux's client protocol over its socket, from Python.

One connection a call, always closed: an identified client that does not
answer the server's EXIT keeps the server alive after kill-server.

The header's pid is 0: the server takes ours from CLIENTPID.

Source: tmux, tmux-protocol.h and OpenBSD's imsg, protocol version 8.
"""

from __future__ import annotations

import functools
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.tmux.door import Answer

_HEADER = struct.Struct("=IHHII")
_INT = struct.Struct("=i")
_STREAM_OPEN = struct.Struct("=iii")
_STREAM_PAIR = struct.Struct("=ii")
_PROTOCOL = 8
# Of a whole message, header included.
MESSAGE_LIMIT = 16384
_READ_CHUNK = 16000
# Below the size from which malloc would map memory anew for each call.
_RECEIVE = 1 << 16

_VERSION = 12
_IDENTIFY_FLAGS, _IDENTIFY_TERM, _IDENTIFY_TTYNAME = 100, 101, 102
_IDENTIFY_ENVIRON, _IDENTIFY_DONE = 105, 106
_IDENTIFY_CLIENTPID, _IDENTIFY_CWD = 107, 108
_IDENTIFY_LONGFLAGS = 111
_COMMAND = 200
_EXIT = 203
_READ_OPEN, _READ, _READ_DONE = 300, 301, 302
_WRITE_OPEN, _WRITE, _WRITE_READY, _WRITE_CLOSE = 303, 304, 305, 306
_FLAGS_MESSAGE = 207
# They have the client itself open a file, unless that is "-".
_WITH_FILES = ("load-buffer", "loadb", "save-buffer", "saveb", "source-file")
_CLIENT_UTF8 = 0x10000


class UnexpectedAnswer(Exception):
    """The peer does not speak the protocol that we know: use the other door."""


class ServerGone(Exception):
    """Nothing accepts on the socket, or the peer hung up before its answer."""


class NativeDoor:
    """Speaks to the server directly; 0.2 ms a call.

    Args:
        socket_path: Of the server.
        environment: Of the client: a session that it makes takes from there what
            tmux's option update-environment names.
    """

    name = "native"

    def __init__(
        self, socket_path: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._socket_path = socket_path
        self._environment = environment

    @staticmethod
    def fits(arguments: Sequence[str]) -> bool:
        """True if it fits into one message, and has no file for the client to open."""
        return _request(tuple(arguments)) is not None

    def call(self, arguments: Sequence[str], *, stdin: bytes, timeout: float) -> Answer:
        """Have the server carry out *arguments*.

        Raises:
            ServerGone: Nobody accepts, or the server went away.
            UnexpectedAnswer: It answered something that tmux does not say.
        """
        deadline = Deadline(timeout)
        command = _request(tuple(arguments))
        assert command is not None, "asked for what does not fit"
        whose = _environ(self._environment) if _makes_a_session(command) else b""
        request = _identify(os.getpid()) + whose + _IDENTIFIED + command
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            _limit(sock, timeout)
            try:
                sock.connect(self._socket_path)
                return _Conversation(sock, stdin, deadline).carry_out(request)
            except BlockingIOError:
                return Answer(1, b"", b"no answer", timed_out=True)
            except struct.error as error:
                raise UnexpectedAnswer(str(error)) from error
            except OSError as error:
                # Nobody listens there, or who does is of another type.
                raise ServerGone(str(error)) from error


def _split(arguments: Sequence[str]) -> Iterator[list[str]]:
    """The commands of a sequence."""
    command: list[str] = []
    for word in arguments:
        if word == ";":
            yield command
            command = []
        else:
            command.append(word)
    yield command


def _opens_a_file(command: Sequence[str]) -> bool:
    # tmux takes any unambiguous beginning of a name.
    if not command or "-" in command:
        return False
    return len(command[0]) > 1 and any(
        name.startswith(command[0]) for name in _WITH_FILES
    )


def _makes_a_session(command: bytes) -> bool:
    # It does if any word could: then it is told more than it needs.
    return b"\0new-s" in command or b"\0new\0" in command


def _environ(environment: Mapping[str, str]) -> bytes:
    entries = (os.fsencode(f"{name}={text}\0") for name, text in environment.items())
    # tmux's own client leaves out what does not fit, too.
    return b"".join(
        _message(_IDENTIFY_ENVIRON, entry)
        for entry in entries
        if _HEADER.size + len(entry) <= MESSAGE_LIMIT
    )


def _limit(sock: socket.socket, seconds: float) -> None:
    """Have the kernel keep the time limit of each receive, and send.

    A connect counts as a send: it waits while a server that is stopped has as many
    connections to accept as it takes.

    Python's own time-out would poll before each of them.

    Source: socket(7), SO_RCVTIMEO.
    """
    seconds = max(seconds, 0.001)
    limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _message(kind: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(kind, _HEADER.size + len(body), 0, _PROTOCOL, 0) + body


_IDENTIFIED = _message(_IDENTIFY_DONE)


# A wait asks the same again and again.
@functools.lru_cache(maxsize=32)
def _request(arguments: tuple[str, ...]) -> bytes | None:
    """The message for a command; None if this door cannot carry it out."""
    if any(_opens_a_file(command) for command in _split(arguments)):
        return None
    words = os.fsencode("\0".join([*arguments, ""]))
    # Before it is packed: a header counts to 65535 only.
    if _HEADER.size + _INT.size + len(words) > MESSAGE_LIMIT:
        return None
    return _message(_COMMAND, _INT.pack(len(arguments)) + words)


@functools.cache
def _identify(pid: int) -> bytes:
    """What a client says of itself before its command."""
    return b"".join(
        (
            _message(_IDENTIFY_FLAGS, _INT.pack(_CLIENT_UTF8)),
            _message(_IDENTIFY_LONGFLAGS, struct.pack("=Q", _CLIENT_UTF8)),
            _message(_IDENTIFY_TERM, b"dumb\0"),
            _message(_IDENTIFY_TTYNAME, b"\0"),
            _message(_IDENTIFY_CWD, b"/\0"),
            _message(_IDENTIFY_CLIENTPID, _INT.pack(pid)),
        )
    )


class _Conversation:
    """One command on one connection."""

    def __init__(self, sock: socket.socket, stdin: bytes, deadline: Deadline) -> None:
        self._sock = sock
        self._stdin = stdin
        self._deadline = deadline
        self._streams: dict[int, list[bytes]] = {}
        self._outputs: dict[int, list[bytes]] = {1: [], 2: []}
        self._unsent = b""

    def carry_out(self, request: bytes) -> Answer:
        self._sock.sendall(request)
        for kind, body in self._messages():
            if kind == _EXIT:
                return self._finish(body)
            self._handle(kind, body)
        raise ServerGone("the server hung up before it answered")

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        buffer = bytearray()
        has_received = False
        while True:
            while len(buffer) >= _HEADER.size:
                kind, size, _, version, _ = _HEADER.unpack_from(buffer)
                if not _HEADER.size <= size <= MESSAGE_LIMIT:
                    raise UnexpectedAnswer(f"a message of {size} bytes")
                if kind == _VERSION or version & 0xFF != _PROTOCOL:
                    raise UnexpectedAnswer(f"protocol version {version & 0xFF}")
                if len(buffer) < size:
                    break
                body = bytes(buffer[_HEADER.size : size])
                del buffer[:size]
                yield kind, body
            if has_received:
                # A peer that goes on talking gets no more time for that.
                self._keep_to_deadline()
            if self._unsent:
                self._sock.sendall(self._unsent)
                self._unsent = b""
            data = self._sock.recv(_RECEIVE)
            if not data:
                return
            has_received = True
            buffer += data

    def _keep_to_deadline(self) -> None:
        if self._deadline.expired:
            raise BlockingIOError
        _limit(self._sock, self._deadline.remaining)

    def _handle(self, kind: int, body: bytes) -> None:
        if kind == _WRITE_OPEN:
            stream, fd, _ = _STREAM_OPEN.unpack_from(body)
            if fd not in self._outputs:
                # save-buffer FILE and the like name a path, not our output.
                raise UnexpectedAnswer(f"write to descriptor {fd}")
            self._streams[stream] = self._outputs[fd]
            # Sent only if more is to come: each message costs the server a
            # walk through its descriptors.
            self._unsent += _message(_WRITE_READY, _STREAM_PAIR.pack(stream, 0))
        elif kind == _WRITE:
            (stream,) = _INT.unpack_from(body)
            if stream not in self._streams:
                raise UnexpectedAnswer(f"data for stream {stream}")
            self._streams[stream].append(body[_INT.size :])
        elif kind == _READ_OPEN:
            self._send_stdin(*_STREAM_PAIR.unpack_from(body))
        elif kind not in (_WRITE_CLOSE, _FLAGS_MESSAGE):
            raise UnexpectedAnswer(f"message type {kind}")

    def _send_stdin(self, stream: int, fd: int) -> None:
        if fd != 0:
            raise UnexpectedAnswer(f"read from descriptor {fd}")
        number = _INT.pack(stream)
        for start in range(0, len(self._stdin), _READ_CHUNK):
            self._keep_to_deadline()
            chunk = self._stdin[start : start + _READ_CHUNK]
            self._sock.sendall(_message(_READ, number + chunk))
        self._sock.sendall(_message(_READ_DONE, _STREAM_PAIR.pack(stream, 0)))

    def _finish(self, body: bytes) -> Answer:
        status = _INT.unpack_from(body)[0] if body else 0
        complaint = b"".join(self._outputs[2]) + body[_INT.size :].rstrip(b"\0")
        # No EXITING: at the end of file that follows the server lets go of us.
        return Answer(status, b"".join(self._outputs[1]), complaint)
