"""One tmux client that a supervisor runs, with its pipes."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any

_READABLE = select.POLLIN | select.POLLHUP
_WRITABLE = select.POLLOUT | select.POLLERR
_CHUNK = 1 << 16

# What a program expects at its start, whatever pytest was started with:
# under nohup it would inherit an ignored HUP, from Python an ignored PIPE.
_DEFAULT_SIGNALS = sorted(
    set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}
)


class Job:
    """A client process, unreaped, and what it has printed so far."""

    __slots__ = (
        "deadline",
        "is_server_start",
        "output",
        "pid",
        "request",
        "stderr_chunks",
        "stderr_fd",
        "stdin",
        "stdin_fd",
        "stdout_chunks",
        "stdout_fd",
        "timed_out",
    )

    def __init__(self, request: int, pid: int, deadline: float) -> None:
        self.request = request
        self.pid = pid
        self.deadline = deadline
        self.timed_out = False
        self.is_server_start = False
        self.output = b""
        self.stdin = b""
        self.stdin_fd = self.stdout_fd = self.stderr_fd = -1
        self.stdout_chunks: list[bytes] = []
        self.stderr_chunks: list[bytes] = []

    @classmethod
    def start(
        cls,
        request: int,
        argv: list[bytes],
        env: dict[bytes, bytes],
        stdin: bytes,
        timeout: float,
        poller: select.poll,
    ) -> Job:
        """Start *argv* with nothing inherited but three descriptors.

        Raises:
            OSError: It cannot be started.
        """
        stdin_read, stdin_write = (
            os.pipe2(os.O_CLOEXEC)
            if stdin
            else (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), -1)
        )
        stdout_read, stdout_write = os.pipe2(os.O_CLOEXEC)
        stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC)
        ours = [fd for fd in (stdin_write, stdout_read, stderr_read) if fd >= 0]
        try:
            pid = os.posix_spawn(
                argv[0],
                argv,
                env,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, stdin_read, 0),
                    (os.POSIX_SPAWN_DUP2, stdout_write, 1),
                    (os.POSIX_SPAWN_DUP2, stderr_write, 2),
                ],
                setsigdef=_DEFAULT_SIGNALS,
                setsigmask=[],
            )
        except BaseException:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in (stdin_read, stdout_write, stderr_write):
                os.close(fd)
        job = cls(request, pid, time.monotonic() + timeout)
        job.stdin = stdin
        job.stdin_fd, job.stdout_fd, job.stderr_fd = (
            stdin_write,
            stdout_read,
            stderr_read,
        )
        for fd in ours:
            os.set_blocking(fd, False)
            poller.register(fd, _WRITABLE if fd == stdin_write else _READABLE)
        return job

    def transfer(self, ready: dict[int, int], poller: select.poll) -> None:
        """Move what the ready pipes take or give."""
        if self.stdin_fd in ready:
            self._write(poller)
        if self.stdout_fd in ready and not _drain(self.stdout_fd, self.stdout_chunks):
            self.stdout_fd = _drop(self.stdout_fd, poller)
        if self.stderr_fd in ready and not _drain(self.stderr_fd, self.stderr_chunks):
            self.stderr_fd = _drop(self.stderr_fd, poller)

    def _write(self, poller: select.poll) -> None:
        try:
            written = os.write(self.stdin_fd, self.stdin[:_CHUNK])
        except BlockingIOError:
            return
        except BrokenPipeError:
            written = len(self.stdin)
        self.stdin = self.stdin[written:]
        if not self.stdin:
            self.stdin_fd = _drop(self.stdin_fd, poller)

    def result(self, exit_code: int, poller: select.poll) -> dict[str, Any]:
        """What to answer once it has exited; closes the pipes.

        It does not wait for end of file: what was printed is in the pipe,
        and a child of the client's may hold the other end for ever.
        """
        for fd, chunks in (
            (self.stdout_fd, self.stdout_chunks),
            (self.stderr_fd, self.stderr_chunks),
        ):
            if fd >= 0:
                _drain(fd, chunks)
        for fd in (self.stdin_fd, self.stdout_fd, self.stderr_fd):
            if fd >= 0:
                _drop(fd, poller)
        self.output = b"".join(self.stdout_chunks)
        return {
            "status": exit_code,
            "stdout": self.output,
            "stderr": b"".join(self.stderr_chunks),
            "timed_out": self.timed_out,
        }


def _drain(fd: int, chunks: list[bytes]) -> bool:
    """Read all that is there; False at end of file."""
    while True:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        chunks.append(data)


def _drop(fd: int, poller: select.poll) -> int:
    poller.unregister(fd)
    os.close(fd)
    return -1
