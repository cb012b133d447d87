"""The pane's terminal, seen from outside: its modes and its foreground.

Source: termios(3); ioctl_tty(2), FIONREAD.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_tmuxlife.containment import procfs

# The longest line that a cooked terminal takes; the rest of a longer one is
# dropped without an error.
CANONICAL_LINE_LIMIT = 4095


@dataclass(frozen=True, slots=True)
class TerminalModes:
    """What the terminal does with input.

    Attributes:
        canonical: It edits lines itself (a cooked terminal).
        echo: It echoes what is typed.
        unread: Bytes that the program has not read yet.
    """

    canonical: bool
    echo: bool
    unread: int

    @property
    def will_echo(self) -> bool:
        """Typed text shows up: from the kernel, or from a line editor.

        Only a cooked terminal with its echo off (a password) shows nothing.
        """
        return self.echo or not self.canonical


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def modes(path: str) -> TerminalModes | None:
    """The modes of the terminal at *path*; None once it is gone."""
    try:
        with _opened(path) as fd:
            local = termios.tcgetattr(fd)[3]
            unread = array.array("i", [0])
            fcntl.ioctl(fd, termios.FIONREAD, unread)
    except (OSError, termios.error):
        return None
    return TerminalModes(
        bool(local & termios.ICANON), bool(local & termios.ECHO), unread[0]
    )


def foreground(pid: int) -> int | None:
    """Process group in the foreground of the terminal of *pid*; None if it is gone."""
    now = procfs.stat(pid)
    return None if now is None else now.foreground_group


def foreground_name(pid: int) -> str:
    """What runs in the foreground of the terminal of *pid*, as ``sleep 4120``."""
    group = foreground(pid)
    now = procfs.stat(group) if group and group > 0 else None
    return f"{now.comm} {now.pid}" if now else "nothing"
