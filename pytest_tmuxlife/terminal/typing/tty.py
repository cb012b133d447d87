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
        quotes: A C-v before a character has it taken as it is.
        taken: Characters that do not arrive as they are, and that a C-v would not
            help: for signals, flow control and editing, or changed on the way.
        seven_bit: It takes the eighth bit off.
    """

    canonical: bool
    echo: bool
    unread: int
    adds_returns: bool = True
    quotes: bool = False
    taken: frozenset[str] = frozenset()
    seven_bit: bool = False

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
    quotes = _quotes(attributes)
    return TerminalModes(
        bool(local & termios.ICANON),
        bool(local & termios.ECHO),
        unread[0],
        attributes[1] & _ADDS_RETURNS == _ADDS_RETURNS,
        quotes,
        _taken(attributes, quotes),
        bool(attributes[0] & termios.ISTRIP),
    )


def _quotes(attributes: list[Any]) -> bool:
    local, quote = attributes[3], attributes[6][termios.VLNEXT]
    edits = local & termios.ICANON and local & termios.IEXTEN
    return bool(edits) and quote == b"\x16"


# By the flag in which they have a meaning.
_SIGNALS = (termios.VINTR, termios.VQUIT, termios.VSUSP)
_FLOW = (termios.VSTART, termios.VSTOP)
_EDITS = (termios.VEOF, termios.VEOL, termios.VERASE, termios.VKILL)
_EXTENDED = (termios.VEOL2, termios.VLNEXT, termios.VREPRINT, termios.VWERASE)


def _taken(attributes: list[Any], quotes: bool) -> frozenset[str]:
    input_modes, _, _, local, _, _, characters = attributes
    # A line feed is never quoted: it is to end the line.
    taken = {"\n"} if input_modes & termios.INLCR else set()
    if quotes:
        return frozenset(taken)
    if input_modes & (termios.ICRNL | termios.IGNCR):
        taken.add("\r")
    indexes: list[int] = []
    if local & termios.ISIG:
        indexes += _SIGNALS
    if input_modes & termios.IXON:
        indexes += _FLOW
    if local & termios.ICANON:
        indexes += _EDITS
        if local & termios.IEXTEN:
            indexes += _EXTENDED
    taken |= {characters[index].decode("latin-1") for index in indexes}
    # That is how one is turned off.
    return frozenset(taken - {"\0"})


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
