"""The private channel on which a program reports each prompt."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import own

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """The program is about to show a prompt.

    Attributes:
        status: Exit status of the command before it; None of a program
            that has none.
        number: The prompt's, from 1.
    """

    status: int | None
    number: int


class Drained(Protocol):
    """What has to be drained while a wait lasts.

    Attributes:
        fd: Readable once there is something to drain.
        has_ended: No more will come.
    """

    fd: int
    has_ended: bool

    def drain(self) -> None:
        """Take in all that is there."""


class PromptChannel:
    """Reads records from a FIFO that is open for both directions.

    Opened so, it never reports an end of file, and the program never blocks
    for want of a reader. A line has the status, or ``-``, and the prompt's
    number; with ``+`` for the status it asks for the rest of an incomplete
    input, with ``x`` it refuses the input, which stays in its line editor, with ``!``
    it will mark the output of the next command.

    Attributes:
        last: The newest record.
        asks_for_rest: It has asked for the rest since that one.
        refuses: It has refused an input since that one.
        marked: Number of the last prompt at which it was told to mark.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = own.claim(os.open(path, flags))
        self._partial = b""
        self.last = PromptRecord(0, 0)
        self.forget_answers()
        self.marked = 0
        self._by_number: dict[int, PromptRecord] = {}

    def close(self) -> None:
        """Close our end."""
        if self.fd >= 0:
            own.close(self.fd)
            self.fd = -1

    def forget_answers(self) -> None:
        """To what comes next it may say another thing."""
        self.asks_for_rest = self.refuses = False

    def drain(self) -> PromptRecord:
        """Take in all records that are there; return the newest."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return self.last
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                words = line.split()
                if len(words) != 2 or not words[1].isdigit():
                    # Not of our hook: something else wrote to the FIFO.
                    continue
                if words[0] == b"+":
                    self.asks_for_rest = True
                elif words[0] == b"x":
                    self.refuses = True
                elif words[0] == b"!":
                    self.marked = int(words[1])
                elif words[0] == b"-" or words[0].isdigit():
                    status = None if words[0] == b"-" else int(words[0])
                    self.last = PromptRecord(status, int(words[1]))
                    self._by_number[self.last.number] = self.last
                    self.forget_answers()

    def record(self, number: int) -> PromptRecord | None:
        """The record of prompt *number*, if it has come; older ones are dropped."""
        self.drain()
        found = self._by_number.get(number)
        if found is not None:
            for older in [key for key in self._by_number if key < number]:
                del self._by_number[older]
        return found

    def wait_for(
        self,
        number: int,
        pidfd: int,
        deadline: Deadline,
        beside: Drained | None = None,
    ) -> PromptRecord | None:
        """Wait for prompt *number*, or a later one; drain *beside* meanwhile.

        Returns:
            Its record, or None if *pidfd*'s process ended first or time ran
            out. A later one counts, if the record itself was never written.
        """

        def found() -> PromptRecord | None:
            return self.record(number) or (
                self.last if self.last.number > number else None
            )

        return self._wait_until(found, pidfd, deadline, beside)

    def wait_for_promise(
        self, number: int, pidfd: int, deadline: Deadline, beside: Drained
    ) -> bool:
        """Wait until the shell says that it will mark what comes of that prompt."""

        def is_given() -> bool | None:
            self.drain()
            return self.marked == number or None

        return bool(self._wait_until(is_given, pidfd, deadline, beside))

    def _wait_until(
        self,
        look: Callable[[], _Found | None],
        pidfd: int,
        deadline: Deadline,
        beside: Drained | None,
    ) -> _Found | None:
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        if pidfd >= 0:
            poller.register(pidfd, select.POLLIN)
        if beside is not None and not beside.has_ended:
            poller.register(beside.fd, select.POLLIN)
        while True:
            found = look()
            if found is not None:
                return found
            ready = dict(poller.poll(max(0, int(deadline.remaining * 1000 + 0.999))))
            if beside is not None and beside.fd in ready:
                beside.drain()
                if beside.has_ended:
                    poller.unregister(beside.fd)
            if self.fd not in ready and (pidfd in ready or deadline.expired):
                return look()
