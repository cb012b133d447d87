"""Whether what was typed has arrived: the program has read it, and tmux shows it.

tmux answers before it has written what it was told to type, and the program takes
its time too: until then the screen shows a prompt with nothing behind it.
"""

from __future__ import annotations

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import procfs

# After so many seconds the screen is believed: not all that was sent is read by the
# pane's own process (a program below it may read), nor drawn.
_LONG_ENOUGH = 0.5


class Arrival:
    """Of what stands in the line of one pane that is not ended yet.

    Args:
        pid: Of the pane's first process.
        server_pid: Of the tmux server.

    Attributes:
        prompt: Number of the last prompt before the last send; 0 without a channel.
    """

    def __init__(self, pid: int, server_pid: int) -> None:
        self._pid = pid
        self._server_pid = server_pid
        self._due = 0
        self._shown_after = 0
        self._believed = Deadline(0.0)
        self.prompt = 0

    def expect(self, count: int, prompt: int, *, is_first: bool, shows: bool) -> None:
        """So many bytes are about to be typed.

        Args:
            count: No more than those that the program will read.
            prompt: Number of the last prompt.
            is_first: Nothing is known to be in the line.
            shows: Something of them will be drawn; of a key nothing may be.
        """
        self.prompt = prompt
        before = 0 if is_first else self._due
        self._due = max(procfs.bytes_read(self._pid), before) + count
        if shows or is_first:
            self._shown_after = procfs.bytes_read(self._server_pid) if shows else 0
        self._believed = Deadline(_LONG_ENOUGH)

    @property
    def is_read(self) -> bool:
        """The pane's process has read it, or it was long enough ago."""
        read = procfs.bytes_read(self._pid)
        return not read or read >= self._due or self._believed.expired

    def is_seen(self, *, canonical: bool) -> bool:
        """It was read, and tmux has read since what some program printed.

        Args:
            canonical: The terminal is cooked: it hands on whole lines only.
        """
        if self._believed.expired:
            return True
        before = self._shown_after
        if before and before == procfs.bytes_read(self._server_pid):
            return False
        return canonical or self.is_read

    @property
    def next_look(self) -> Deadline | None:
        """When the screen is believed; None if it is."""
        return None if self._believed.expired else self._believed
