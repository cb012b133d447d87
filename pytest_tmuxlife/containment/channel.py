"""pytest's end of the line to a helper: questions, and their answers."""

from __future__ import annotations

import os
import select
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import own, wire
from pytest_tmuxlife.errors import ReaperDied

# The helper keeps the limit of each request itself; this much later it is
# not slow but gone or stopped.
_MARGIN = 10.0

_open_channels: weakref.WeakSet[Channel] = weakref.WeakSet()


def _close_in_child() -> None:
    # A child that a test forked without exec would keep the line open, and
    # with it the server, after pytest is gone.
    for channel in list(_open_channels):
        channel.close()


os.register_at_fork(after_in_child=_close_in_child)


class Channel:
    """A stream socket with numbered requests; several threads may ask.

    Args:
        sock: Our end of the pair.
        helper: Name of the helper, for errors.
        culprit: Names the helper whose death was the cause of this one's, if
            there is such a one; asked when the helper is gone.
    """

    def __init__(
        self,
        sock: socket.socket,
        helper: str,
        culprit: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._sock = sock
        self.helper = helper
        self._culprit = culprit
        self._inbox = wire.Inbox()
        self._unsent = bytearray()
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._abandoned: set[int] = set()
        self._changed = threading.Condition()
        self._reader = 0
        self.crash: str | None = None
        _open_channels.add(self)
        own.claim(sock.fileno())

    def close(self) -> None:
        """Close our end; the helper takes it as the end of pytest."""
        _open_channels.discard(self)
        own.disclaim(self._sock.fileno())
        self._sock.close()

    @property
    def is_open(self) -> bool:
        """False once closed here, or by the end of the helper."""
        if self._sock.fileno() < 0:
            return False
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        events = dict(poller.poll(0))
        return not events.get(self._sock.fileno(), 0) & (
            select.POLLHUP | select.POLLERR
        )

    def tell(self, operation: str, descriptor: int | None = None, **args: Any) -> None:
        """Send a request that has no answer, with a descriptor if given."""
        message = (0, operation, args)
        try:
            if descriptor is None:
                self._sock.sendall(wire.pack(message))
            else:
                wire.send_with_descriptor(self._sock, message, descriptor)
        except OSError as error:
            raise self._died() from error

    def hello(self, timeout: float) -> dict[str, Any]:
        """The first message that the helper sends by itself."""
        return self._await(0, Deadline(timeout))

    def ask(self, operation: str, *, limit: float = 0.0, **args: Any) -> dict[str, Any]:
        """Send a request and return its answer.

        Args:
            operation: Name of what the helper shall do.
            limit: Seconds that the helper itself may take.
            args: Arguments of the operation.

        Raises:
            ReaperDied: The helper is gone, or silent long past *limit*.
        """
        number = self.post(operation, **args)
        return self.answer(number, limit)

    def post(self, operation: str, **args: Any) -> int:
        """Send a request and return its number, for `answer`."""
        with self._changed:
            self._number += 1
            number = self._number
            try:
                self._send(wire.pack((number, operation, args)))
            except BaseException:
                # What is unsent goes out with the next call; nobody waits for it.
                self._abandoned.add(number)
                raise
        return number

    def answer(self, number: int, limit: float) -> dict[str, Any]:
        """The answer to request *number*. Errors as for `ask`."""
        try:
            return self._await(number, Deadline(limit + _MARGIN))
        except BaseException:
            # A time-out of pytest's or C-c; its answer, if it comes, is nobody's.
            self._abandon(number)
            raise

    def _abandon(self, number: int) -> None:
        with self._changed:
            self._abandoned.add(number)
            self._answers.pop(number, None)
            if not self.is_open:
                return
            self._number += 1
            self._abandoned.add(self._number)
            self._send(wire.pack((self._number, "abandon", {"which": number})))

    def _send(self, data: bytes) -> None:
        # An exception in the middle leaves the rest here, for the next call:
        # half a message would make nonsense of all that follow.
        self._unsent += data
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent[: wire.MAX_CHUNK])]
        except OSError as error:
            raise self._died() from error

    def _await(self, number: int, deadline: Deadline) -> dict[str, Any]:
        # An exception can come between any two steps: pytest-timeout's, or C-c.
        me = threading.get_ident()
        while True:
            try:
                with self._changed:
                    self._take_in()
                    if number in self._answers:
                        return self._answers.pop(number)
                    self._check_deadline(deadline)
                    if self._reader not in (0, me):
                        self._changed.wait(deadline.remaining)
                        continue
                    self._reader = me
                self._read(deadline)
            finally:
                with self._changed:
                    if self._reader == me:
                        self._reader = 0
                        self._changed.notify_all()

    def _check_deadline(self, deadline: Deadline) -> None:
        if deadline.expired:
            raise ReaperDied(
                f"the {self.helper} has not answered for {deadline.timeout:.0f} s",
                helper=self.helper,
            )

    def _read(self, deadline: Deadline) -> None:
        if self._sock.fileno() < 0:
            raise self._died()
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        if not poller.poll(deadline.remaining * 1000):
            return
        try:
            # One step: bytes that were received cannot get lost.
            self._inbox.chunks.extend(map(self._sock.recv, (wire.MAX_CHUNK,)))
        except ConnectionResetError:
            raise self._died() from None
        if not self._inbox.chunks[-1]:
            with self._changed:
                self._take_in()
            raise self._died()

    def _take_in(self) -> None:
        # Done twice, if it is interrupted, it does no harm.
        for number, answer in self._inbox.peek():
            if "crash" in answer:
                self.crash = answer["crash"]
            elif number not in self._abandoned:
                self._answers[number] = answer
        self._inbox.drop()

    def _died(self) -> ReaperDied:
        self.close()
        helper = self._culprit() or self.helper
        reason = f": {self.crash}" if self.crash else " (was it killed?)"
        return ReaperDied(
            f"the {helper} is gone{reason}; what it held is ended, and the run "
            "cannot go on without it",
            helper=helper,
        )
