"""Who a process is, across crashes: pid, start time, boot and PID namespace.

Weaker than a pidfd, so it only says who is meant; a signal still goes to a
pidfd that was opened before the identity was looked at.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from pytest_tmuxlife.containment import kernel, procfs


@dataclass(frozen=True, slots=True)
class Identity:
    """A process of this boot and PID namespace.

    Attributes:
        pid: Its number.
        start_ticks: Start in clock ticks since boot.
    """

    pid: int
    start_ticks: int

    @classmethod
    def parse(cls, text: str) -> Identity | None:
        """From the form ``PID TICKS`` of a record; None if it is not one."""
        words = text.split()
        if len(words) != 2 or not all(word.isdigit() for word in words):
            return None
        return cls(int(words[0]), int(words[1]))

    def __str__(self) -> str:
        """The form that `parse` takes."""
        return f"{self.pid} {self.start_ticks}"

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Whoever has this pid now; None if nobody has."""
        ticks = procfs.start_ticks(pid)
        return None if ticks is None else cls(pid, ticks)

    @property
    def is_parent(self) -> bool:
        """It is the parent of this process."""
        return os.getppid() == self.pid and Identity.of(self.pid) == self

    @property
    def is_alive(self) -> bool:
        """The same process is there and has not exited."""
        now = procfs.stat(self.pid)
        return (
            now is not None
            and now.start_ticks == self.start_ticks
            and not now.is_zombie
            and now.state != "X"
        )

    def open(self) -> int | None:
        """A pidfd of exactly this process; None if it is gone.

        The caller closes it.
        """
        pidfd = kernel.open_pidfd(self.pid)
        if pidfd is None:
            return None
        if procfs.start_ticks(self.pid) != self.start_ticks:
            os.close(pidfd)
            return None
        return pidfd
