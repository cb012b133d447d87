"""Deadlines and back-off, in seconds of the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


class Deadline:
    """An instant after which waiting stops.

    Args:
        timeout: Seconds from now; negative counts as 0.
        now: The clock, replaceable in tests.
    """

    __slots__ = ("_now", "at", "started", "timeout")

    def __init__(
        self, timeout: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self.timeout = max(0.0, timeout)
        self.started = now()
        self.at = self.started + self.timeout

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self._now())

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return self._now() - self.started

    @property
    def expired(self) -> bool:
        """True once no time is left."""
        return self._now() >= self.at


def holds_within(seconds: float, look: Callable[[], bool]) -> bool:
    """Ask *look* again and again, for so long at most; its last answer."""
    deadline = Deadline(seconds)
    for pause in backoff(0.0002, 0.002):
        if look():
            return True
        if deadline.expired:
            return False
        time.sleep(pause)
    raise AssertionError("backoff never ends")


def backoff(first: float, limit: float, factor: float = 2.0) -> Iterator[float]:
    """Yield pauses in seconds that grow from *first* to *limit* and stay there."""
    pause = first
    while True:
        yield pause
        pause = min(limit, pause * factor)
