"""What wakes a wait: a write to the pane's terminal, a record, an end.

inotify sees the writes to a terminal, but not the kernel's echo, nor those
through another mount of the terminals. So the wait also asks, at most every
15 ms, whether the tmux server has read anything since: it reads terminals with
read(2) and clients with recvmsg(2), and only the first counts as rchar.

Source: inotify(7); proc_pid_io(5).
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import kernel
from pytest_tmuxlife.terminal.dialogue.inotify import TerminalWatch, drain

# tmux reads the terminal after the write that woke us: 0.1 ms, or many.
_AFTER_EVENT = (0.0001, 0.0002, 0.0002, 0.0005, 0.001, 0.002, 0.005)
_AFTER_END = 0.002
_POLL = 0.015
# A program that prints without end must not be slowed down by our looks.
_EARLY_LOOKS_APART = 0.002
# Of one core, for the looks of one wait; what it does not need it saves, up to so
# many seconds. So long a look is held back at most: a wait must not be late.
_SHARE = 0.03
_SAVED = 0.01
_HELD_BACK = 0.02
# What changes a screen without output: resize, clear-history, respawn-pane.
_BLIND_LOOK = 1.0


class PaneEvents:
    """Wakes one wait on one pane. A context manager.

    Nothing is watched before the first `wait`: what is looked for is most
    often there already.

    Args:
        watch: Of the pane's terminal; outlives the wait.
        pidfd: Of the pane's first process; -1 without one.
        channel: Descriptor that gets readable with a prompt record, or -1.
        server_pid: Of the tmux server.
    """

    def __init__(
        self, watch: TerminalWatch, pidfd: int, channel: int, server_pid: int
    ) -> None:
        self._watch = watch
        self._pidfd = pidfd
        self._channel = channel
        self._io = f"/proc/{server_pid}/io"
        self._io_fd = -1
        self._is_watching = False
        self._poller = select.poll()
        self._fd = -1
        self._pauses: Iterator[float] = iter(())
        self._seen = b""
        self._blind_look = Deadline(_BLIND_LOOK)
        self._next_early_look = Deadline(0.0)
        self._balance = _SAVED
        self._balanced_at = time.monotonic()
        self._used = time.thread_time()

    def __enter__(self) -> PaneEvents:
        return self

    def __exit__(self, *_: object) -> None:
        if self._io_fd >= 0:
            os.close(self._io_fd)

    def _start_watching(self) -> None:
        self._is_watching = True
        self._fd = self._watch.begin()
        try:
            self._io_fd = os.open(self._io, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            # Gone, or another user's: the blind look has to do.
            self._io_fd = -1
        for fd in (self._fd, self._pidfd, self._channel):
            if fd >= 0:
                self._poller.register(fd, select.POLLIN)
        self._seen = self._bytes_read()

    @property
    def has_ended(self) -> bool:
        """The pane's first process has exited."""
        return self._pidfd >= 0 and kernel.has_exited(self._pidfd)

    def wait(self, deadline: Deadline) -> None:
        """Return when a new look is worth while, or at the deadline."""
        if not self._is_watching:
            # Something may have come between the look and this.
            self._start_watching()
            return
        if self.has_ended:
            # Until tmux has noticed too.
            select.select([], [], [], _AFTER_END)
            return
        while not deadline.expired:
            if self._has_news():
                self._hold_back(deadline)
                return
            pause = min(next(self._pauses, _POLL), deadline.remaining)
            ready = _ready(self._poller, pause)
            if self._fd in ready:
                drain(self._fd)
                self._pauses = iter(_AFTER_EVENT)
                if self._has_news():
                    # One look is enough: what the server has read it shows.
                    self._hold_back(deadline)
                    return
                if self._next_early_look.expired:
                    # The server has most often read it before it hears us ask.
                    self._next_early_look = Deadline(_EARLY_LOOKS_APART)
                    self._hold_back(deadline)
                    return
            elif ready:
                return
            if self._blind_look.expired:
                self._blind_look = Deadline(_BLIND_LOOK)
                return

    def _hold_back(self, deadline: Deadline) -> None:
        """Pause before a look if this wait has had more than its share of a core."""
        now, used = time.monotonic(), time.thread_time()
        earned = (now - self._balanced_at) * _SHARE - (used - self._used)
        self._balance = max(-_SAVED, min(_SAVED, self._balance + earned))
        self._balanced_at, self._used = now, used
        if self._balance < 0:
            pause = min(-self._balance / _SHARE, _HELD_BACK, deadline.remaining)
            select.select([], [], [], pause)
            # The look shows that too.
            self._seen = self._bytes_read()

    def _bytes_read(self) -> bytes:
        if self._io_fd < 0:
            return b""
        try:
            return os.pread(self._io_fd, 64, 0).split(b"\n", 1)[0]
        except OSError:
            return b""

    def _has_news(self) -> bool:
        """The server has read output since the last time that this was true."""
        now = self._bytes_read()
        if now == self._seen:
            return False
        self._seen = now
        return True


def _ready(poller: select.poll, seconds: float) -> set[int]:
    """What is readable within *seconds*; poll(2) itself counts in ms."""
    if 0 < seconds < 0.001:
        select.select([], [], [], seconds)
        seconds = 0.0
    return {fd for fd, _ in poller.poll(int(seconds * 1000))}
