"""The controller of a worker: whoever started this pytest, and reads what it finds.

Runs in the reaper. A worker of pytest-xdist whose controller was killed goes
on with its test until execnet ends it, 5 s later at the earliest. Nobody
waits for it, so it is told at once, and killed if it does not follow.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Container

from pytest_tmuxlife.containment import kernel, procfs

# For what a KeyboardInterrupt tears down. All is to be gone after 3 s.
_INTERRUPT_GRACE = 1.0


class Controller:
    """The controller, by a pidfd.

    Args:
        text: Its pid and start in ticks; "" for a pytest that has none.
        worker: Pidfd of the worker.
    """

    def __init__(self, text: str, worker: int) -> None:
        self._pidfd = _open(*map(int, text.split())) if text else None
        self._worker = worker
        self._kill_at: float | None = None
        # Gone already: `look` is for one that goes.
        if text and self._pidfd is None:
            self._interrupt()

    def register(self, poller: select.poll) -> None:
        """Have *poller* see that it exits."""
        if self._pidfd is not None:
            poller.register(self._pidfd, select.POLLIN)

    @property
    def patience(self) -> float | None:
        """Milliseconds until `look` has something to do; None if it has not."""
        if self._kill_at is None:
            return None
        return max(0.0, 1000 * (self._kill_at - time.monotonic()))

    def look(self, ready: Container[int], poller: select.poll) -> None:
        """Interrupt the worker if the controller is gone, and later kill it."""
        if self._pidfd is not None and self._pidfd in ready:
            poller.unregister(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
            self._interrupt()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_at = None
            kernel.send_signal(self._worker, signal.SIGKILL)

    def _interrupt(self) -> None:
        self._kill_at = time.monotonic() + _INTERRUPT_GRACE
        kernel.send_signal(self._worker, signal.SIGINT)


def _open(pid: int, ticks: int) -> int | None:
    # Identity would do, but dataclasses cost more than all else of the start.
    pidfd = kernel.open_pidfd(pid)
    if pidfd is not None and procfs.start_ticks(pid) != ticks:
        os.close(pidfd)
        return None
    return pidfd
