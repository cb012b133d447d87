"""Watching terminals for writes, on the one inotify descriptor of this process.

A user has 128 such descriptors. A terminal is watched from the first wait on
its pane until the pane is closed: taking a watch away costs more than a look.

Source: inotify(7).
"""

from __future__ import annotations

import ctypes
import os
import threading

from pytest_tmuxlife.containment import own

_IN_MODIFY = 0x2
# Bytes of a read, and of the longest event: header, name and the zero behind it.
_MANY, _LONGEST = 4096, 16 + 256
_lock = threading.Lock()


class _Descriptor:
    """The descriptor, and the process that opened it."""

    def __init__(self) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.owner = os.getpid()
        self.fd = int(self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self.fd >= 0:
            own.claim(self.fd)
            # Writes through it give no event on the terminal itself.
            self.add("/dev/tty")

    def add(self, path: str) -> int:
        """A watch for writes to *path*; the same one if it has one; -1 if refused."""
        return int(self.libc.inotify_add_watch(self.fd, os.fsencode(path), _IN_MODIFY))

    def remove(self, watch: int) -> None:
        """Take a watch away; the kernel may have, with its terminal."""
        self.libc.inotify_rm_watch(self.fd, watch)


_open: _Descriptor | None = None


def _descriptor() -> _Descriptor:
    global _open
    if _open is None or _open.fd < 0 or _open.owner != os.getpid():
        _open = _Descriptor()
    return _open


class TerminalWatch:
    """Watches one terminal.

    Args:
        terminal: Its path.
    """

    def __init__(self, terminal: str) -> None:
        self._terminal = terminal
        self._on: _Descriptor | None = None
        self._watch = -1

    def begin(self) -> int:
        """Watch, and forget what was; the descriptor that tells, -1 if refused.

        Other terminals tell on it too.
        """
        with _lock:
            self._on = _descriptor()
            # Each time: a closed terminal's path may be another one's now.
            self._watch = self._on.add(self._terminal) if self._on.fd >= 0 else -1
            if self._watch < 0:
                return -1
        drain(self._on.fd)
        return self._on.fd

    def end(self) -> None:
        """Watch no longer."""
        with _lock:
            if self._on is not None and self._on is _open and self._watch >= 0:
                self._on.remove(self._watch)
            self._on = None


class Writes:
    """Tells whether anybody wrote to one terminal. A context manager.

    On a descriptor of its own, for as long as it lasts: the shared one tells of
    other terminals too.

    Args:
        terminal: Its path.
    """

    def __init__(self, terminal: str) -> None:
        self._terminal = terminal
        self._fd = -1

    def __enter__(self) -> Writes:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd >= 0:
            own.claim(self._fd)
            libc.inotify_add_watch(self._fd, os.fsencode(self._terminal), _IN_MODIFY)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            own.close(self._fd)
            self._fd = -1

    def have_come(self) -> bool:
        """Somebody wrote since this was last asked."""
        return self._fd >= 0 and drain(self._fd)


def drain(fd: int) -> bool:
    """Take all events in; False if there were none."""
    found = False
    try:
        while events := os.read(fd, _MANY):
            found = True
            if len(events) <= _MANY - _LONGEST:
                break
    except BlockingIOError:
        return found
    return found


def close() -> None:
    """Give the descriptor back; the next watch opens a new one."""
    global _open
    with _lock:
        if _open is not None and _open.fd >= 0 and _open.owner == os.getpid():
            own.close(_open.fd)
        _open = None
