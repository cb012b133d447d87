"""The lines that a pane prints, as they come: also those that a clear takes away."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import (
    PaneDied,
    ServerNotRunning,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.terminal.dialogue.exits import ENDING, died, is_replaced
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.dialogue.pipe import PanePipe
from pytest_tmuxlife.terminal.dialogue.timeouts import timed_out_anyhow
from pytest_tmuxlife.terminal.sight.printed import plain_lines
from pytest_tmuxlife.terminal.tmux.client import limited_by

_LONGEST_LINE = 1 << 16
_LOOK_AFTER_END = 0.02


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
        PaneDied: Its program has ended.

    Source: tmux(1), pipe-pane.
    """

    def __init__(self, pane: PaneHandle, timeout: float | None) -> None:
        self._pane = pane
        self._timeout = timeout
        self._lines: deque[str] = deque()
        self._has_ended = self._is_taken_off = False
        if pane.has_ended:
            raise died(pane)
        self._pipe = PanePipe(pane)
        try:
            self._open()
        except BaseException:
            self._pipe.close()
            raise

    def _open(self) -> None:
        # A line editor may draw the line anew, from the column behind its prompt.
        self._column = self._pane.camera.screen().cursor_x
        self._pipe.open()
        # What is given is for each line, and may be 0.
        deadline = Deadline(self._pane.timeout(None))
        while not (self._pipe.has_begun or self._pipe.has_ended):
            if not self._pipe.wait(deadline.remaining) and deadline.expired:
                raise self._timed_out("pipe", deadline)
            self._pipe.read_some()
        self._take_in_lines()

    def __enter__(self) -> LineStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the pipe off the pane; what was not read is lost."""
        self._pipe.close()
        self._has_ended, self._is_taken_off = True, False
        self._lines.clear()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line, without colours and other controls.

        Raises:
            WaitTimeout: It did not come; shows the screen.
            TmuxLifeError: Somebody took the pipe off the pane, or ended its cat.
        """
        deadline = Deadline(self._pane.timeout(self._timeout))
        with limited_by(deadline):
            while not self._lines:
                if self._is_taken_off:
                    raise self._taken_off()
                if self._has_ended:
                    raise StopIteration
                self._read_more(deadline)
        return self._lines.popleft()

    def _read_more(self, deadline: Deadline) -> None:
        if self._pipe.read_some():
            self._take_in_lines()
        elif self._pipe.has_ended:
            self._end()
            self._is_taken_off = self._pane_goes_on()
        else:
            self._wait(deadline)

    def _take_in_lines(self) -> None:
        *lines, rest = bytes(self._pipe.data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines.append(rest)
            rest = b""
        self._pipe.data[:] = rest
        self._take_in(lines)

    def _end(self) -> None:
        self._has_ended = True
        if self._pipe.data:
            self._take_in([bytes(self._pipe.data)])

    def _take_in(self, lines: list[bytes]) -> None:
        for line in lines:
            text = line.decode("utf-8", "backslashreplace")
            self._lines += plain_lines(text, self._column)
            self._column = 0

    def _wait(self, deadline: Deadline) -> None:
        if deadline.expired:
            raise self._timed_out("line", deadline)
        pause, pidfd = deadline.remaining, self._pane.pidfd
        if self._pane.has_ended:
            pause, pidfd = min(pause, _LOOK_AFTER_END), -1
            if self._pane_stays() and self._pipe.cat_waits and not self._pipe.wait(0):
                # Its pane stays, and the pipe with that: no end of file comes.
                self._end()
        self._pipe.wait(pause, beside=pidfd)

    def _pane_stays(self) -> bool:
        """Tmux keeps it after its program's end, or runs another one in it."""
        try:
            return self._pane.camera.screen().dead or is_replaced(self._pane)
        except (PaneDied, ServerNotRunning):
            return False

    def _pane_goes_on(self) -> bool:
        """The pipe has ended, though neither the pane nor its program has."""
        try:
            self._pane.camera.screen()
        except (PaneDied, ServerNotRunning):
            return False
        return not self._pane.ends_within(ENDING)

    def _taken_off(self) -> TmuxLifeError:
        return TmuxLifeError(
            f"the pipe of pane {self._pane.id} was taken off (pipe-pane), or its cat "
            "was ended: what it prints is not followed any more",
            pane=self._pane.id,
        )

    def _timed_out(self, what: str, deadline: Deadline) -> WaitTimeout:
        state = "alive, though its pane is gone"
        return timed_out_anyhow(self._pane, what, deadline, state)
