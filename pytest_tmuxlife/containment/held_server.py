"""The tmux server that a supervisor holds, by a pidfd."""

from __future__ import annotations

import os
import signal

from pytest_tmuxlife.containment import kernel, marks, procfs


class HeldServer:
    """A tmux server, none at first.

    Attributes:
        pid: Of its process, 0 before there is one.
    """

    __slots__ = ("_pidfd", "pid")

    def __init__(self) -> None:
        self.pid = 0
        self._pidfd = -1

    @property
    def lives(self) -> bool:
        """It has not exited. If it is no child of ours, nobody tells us."""
        return self._pidfd >= 0 and not kernel.has_exited(self._pidfd)

    @property
    def identity(self) -> str:
        """As it stands in a record."""
        return f"{self.pid} {procfs.start_ticks(self.pid)}"

    def adopt(self, output: bytes, mark: str) -> bool:
        """Hold the server whose pid a client has printed; False if it is not ours.

        What a client prints is no proof: only what is below us, or bears our
        mark, is ours.
        """
        first = output.split(b" ", 1)[0]
        pidfd = kernel.open_pidfd(int(first)) if first.isdigit() else None
        if pidfd is None:
            return False
        if not marks.is_held(int(first), os.getpid(), mark):
            os.close(pidfd)
            return False
        self.release()
        self.pid, self._pidfd = int(first), pidfd
        return True

    def signal(self, *numbers: int) -> None:
        """Send signals to it, if it is there."""
        if self._pidfd >= 0:
            for number in numbers:
                kernel.send_signal(self._pidfd, number)

    def end(self) -> None:
        """What kill-server does. A stopped one would keep the TERM pending."""
        self.signal(signal.SIGTERM, signal.SIGCONT)

    def has_exited(self, pid: int) -> None:
        """A child with this pid was reaped."""
        if pid == self.pid:
            self._close()

    def release(self) -> None:
        """Hold none any more."""
        self.pid = 0
        self._close()

    def _close(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
