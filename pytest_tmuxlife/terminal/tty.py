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
from typing import Any

from pytest_tmuxlife.containment import procfs

# The longest line that a cooked terminal takes; the rest of a longer one is
# dropped without an error.
CANONICAL_LINE_LIMIT = 4095
_ADDS_RETURNS = termios.OPOST | termios.ONLCR


@dataclass(frozen=True, slots=True)
class TerminalModes:
    """What the terminal does with input.

    Attributes:
        canonical: It edits lines itself (a cooked terminal).
        echo: It echoes what is typed.
        unread: Bytes that the program has not read yet.
        adds_returns: It puts a carriage return before each line feed of the output.
        taken: Control characters that it takes for itself, where a C-v before
            them would not help: for signals and flow control.
    """

    canonical: bool
    echo: bool
    unread: int
    adds_returns: bool = True
    taken: frozenset[str] = frozenset()

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
            attributes = termios.tcgetattr(fd)
            unread = array.array("i", [0])
            fcntl.ioctl(fd, termios.FIONREAD, unread)
    except (OSError, termios.error):
        return None
    local = attributes[3]
    return TerminalModes(
        bool(local & termios.ICANON),
        bool(local & termios.ECHO),
        unread[0],
        attributes[1] & _ADDS_RETURNS == _ADDS_RETURNS,
        _taken(attributes),
    )


def _taken(attributes: list[Any]) -> frozenset[str]:
    input_modes, _, _, local, _, _, characters = attributes
    if local & termios.ICANON:
        return frozenset()
    indexes: list[int] = []
    if local & termios.ISIG:
        indexes += [termios.VINTR, termios.VQUIT, termios.VSUSP]
    if input_modes & termios.IXON:
        indexes += [termios.VSTART, termios.VSTOP]
    found = {characters[index].decode("latin-1") for index in indexes}
    return frozenset(found - {"\0"})


def size(path: str) -> tuple[int, int] | None:
    """Columns and rows that the terminal at *path* has; None once it is gone."""
    try:
        with _opened(path) as fd:
            rows, columns = termios.tcgetwinsize(fd)
    except (OSError, termios.error):
        return None
    return columns, rows


def foreground(pid: int) -> int | None:
    """Process group in the foreground of the terminal of *pid*; None if it is gone."""
    now = procfs.stat(pid)
    return None if now is None else now.foreground_group


def foreground_name(pid: int) -> str:
    """What runs in the foreground of the terminal of *pid*, as ``sleep 4120``."""
    group = foreground(pid)
    now = procfs.stat(group) if group and group > 0 else None
    return f"{now.comm} {now.pid}" if now else "nothing"
