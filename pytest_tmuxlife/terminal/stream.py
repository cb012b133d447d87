"""The lines that a pane prints, as they come: also those that a clear takes away."""

from __future__ import annotations

import os
import re
import secrets
import select
import signal
from collections import deque
from collections.abc import Iterator

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import kernel, own, procfs
from pytest_tmuxlife.errors import (
    PaneDied,
    ServerNotRunning,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.terminal.client import limited_by
from pytest_tmuxlife.terminal.handle import PaneHandle
from pytest_tmuxlife.terminal.pipe import already_piped, cat_into, open_cat
from pytest_tmuxlife.terminal.timeouts import timed_out_anyhow

_READ = 1 << 16
_LONGEST_LINE = 1 << 16
_LOOK_AFTER_END = 0.02
# Moves of the cursor to another place, and clears: what follows is another line.
_MOVE = re.compile(r"\x1b\[[0-?]*[ -/]*[ABEFHJdf]|\x1b[78M]|\x1b\[\?1?04[79][hl]")
_ERASE = re.compile(r"\x1b\[[0-2]?K")
_BACK = re.compile(r"[^\x08]\x08|^\x08")
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x06\x07\x0b-\x0c\x0e-\x1a\x7f]"
)


def plain_lines(text: str) -> list[str]:
    """What one printed line shows: colours and other controls taken out.

    Of what was written over, the last. A line that moves the cursor elsewhere is
    several.
    """
    pieces = _MOVE.split(text.removesuffix("\r"))
    shown = [_overwritten(piece) for piece in pieces]
    return shown if len(shown) == 1 else [line for line in shown if line.strip()]


def _overwritten(text: str) -> str:
    line = ""
    for part in text.split("\r"):
        keeps_rest = _ERASE.search(part) is None
        new = _CONTROL.sub("", _ERASE.sub("", part))
        while "\b" in new:
            new = _BACK.sub("", new)
        line = new + line[len(new) :] if keeps_rest else new
    return line


def _readable(fds: list[int], seconds: float) -> set[int]:
    """Which of them are, or are at their end, within so many seconds."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    return {fd for fd, _ in poller.poll(int(seconds * 1000 + 0.999))}


class LineStream:
    """An iterator over the lines that a pane prints from now on. A context manager.

    Ends once the pane has, and all its lines are given. While it is open the pane has
    a pipe (``#{pane_pipe}``), and the tmux server a ``cat`` below it. What is not read
    yet waits there, so memory here is bounded.

    Args:
        pane: To follow.
        timeout: Seconds for each line; None for the pane's default.

    Raises:
        PaneNotReady: The pane has a pipe already.
        PaneDied: The pane is gone.

    Source: tmux(1), pipe-pane.
    """

    def __init__(self, pane: PaneHandle, timeout: float | None) -> None:
        self._pane = pane
        self._timeout = timeout
        self._lines: deque[str] = deque()
        self._partial = b""
        self._has_ended = False
        self._fd = self._cat = self._cat_pid = -1
        ask = pane.camera.ask
        look = ("display-message", "-p", "-t", pane.id, "#{pane_pipe}")
        if ask(*look).strip() == "1":
            raise already_piped(pane)
        path = f"{pane.camera.directory}/{secrets.token_hex(4)}.lines"
        os.mkfifo(path, 0o600)
        try:
            self._open(path)
        finally:
            os.unlink(path)

    def _open(self, path: str) -> None:
        # For both directions: nobody writes to it yet.
        both = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._pane.camera.ask(
                "pipe-pane", "-O", "-t", self._pane.id, cat_into(path)
            )
            deadline = Deadline(self._pane.timeout(self._timeout))
            if both not in _readable([both], deadline.remaining):
                raise self._timed_out("pipe", deadline)
            self._cat_pid = int(os.read(both, _READ))
            self._cat = open_cat(self._cat_pid, self._pane)
            # Now that there is a writer, its end is the end of the file.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            self._fd = own.claim(os.open(path, flags))
        finally:
            os.close(both)

    def __enter__(self) -> LineStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the pipe off the pane; what was not read is lost."""
        if self._fd < 0:
            return
        if self._cat >= 0 and not kernel.has_exited(self._cat):
            self._take_pipe_off()
        for fd in {self._fd, self._cat} - {-1}:
            own.close(fd)
        self._fd = self._cat = -1
        self._has_ended = True
        self._lines.clear()

    def _take_pipe_off(self) -> None:
        try:
            self._pane.camera.ask("pipe-pane", "-t", self._pane.id)
        except (PaneDied, ServerNotRunning):
            # It went with the pane.
            return
        except TmuxLifeError:
            # Of a pane that is kept after its end tmux does not.
            if self._cat >= 0:
                kernel.send_signal(self._cat, signal.SIGTERM)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line, without colours and other controls.

        Raises:
            WaitTimeout: It did not come; shows the screen.
        """
        deadline = Deadline(self._pane.timeout(self._timeout))
        with limited_by(deadline):
            while not self._lines:
                if self._has_ended:
                    raise StopIteration
                self._read_more(deadline)
        return self._lines.popleft()

    def _read_more(self, deadline: Deadline) -> None:
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            self._wait(deadline)
            return
        if not data:
            self._end()
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._take_in(lines)
        if len(self._partial) > _LONGEST_LINE:
            self._take_in([self._partial])
            self._partial = b""

    def _end(self) -> None:
        self._has_ended = True
        if self._partial:
            self._take_in([self._partial])
            self._partial = b""

    def _take_in(self, lines: list[bytes]) -> None:
        for line in lines:
            self._lines += plain_lines(line.decode("utf-8", "backslashreplace"))

    def _wait(self, deadline: Deadline) -> None:
        if deadline.expired:
            raise self._timed_out("line", deadline)
        pause = deadline.remaining
        if self._pane.has_ended:
            pause = min(pause, _LOOK_AFTER_END)
            if self._is_kept() and self._cat_waits() and not self._is_readable(0):
                # Its pane stays, and the pipe with that: no end of file comes.
                self._end()
        self._is_readable(pause)

    def _is_readable(self, seconds: float) -> bool:
        pidfd = -1 if self._pane.has_ended else self._pane.pidfd
        watched = [fd for fd in (self._fd, pidfd) if fd >= 0]
        return self._fd in _readable(watched, seconds)

    def _is_kept(self) -> bool:
        """All that the ended program has printed is on its way through the pipe."""
        try:
            return self._pane.camera.screen().dead
        except (PaneDied, ServerNotRunning):
            return False

    def _cat_waits(self) -> bool:
        """It sleeps: there is nothing to read for it, or no room to write."""
        now = procfs.stat(self._cat_pid)
        return now is None or now.state == "S"

    def _timed_out(self, what: str, deadline: Deadline) -> WaitTimeout:
        state = "alive, though its pane is gone"
        return timed_out_anyhow(self._pane, what, deadline, state)
