"""Ending processes that are proven to be ours: the ladder of TERM and KILL.

Runs in the helpers. A signal goes to a pidfd of `lineage` or of `strays`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Container, Iterable

from pytest_tmuxlife.containment import kernel, lineage

# A helper does without typing.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_tmuxlife.containment.strays import Strays

# Passes of the KILL loop that may find the same processes before it pauses.
_PAUSE = 0.001
_LONG_PAUSE = 0.01


def signal_descendants(
    root: int,
    numbers: Iterable[int],
    skip: Iterable[int] = (),
    *,
    known: Container[int] = (),
) -> list[int]:
    """Send *numbers* to everything below *root*; return the pids reached."""
    reached = []
    for pid, pidfd in lineage.open_descendants(root, skip, known=known):
        try:
            delivered = [kernel.send_signal(pidfd, number) for number in numbers]
            if all(delivered):
                reached.append(pid)
        except PermissionError:
            # Another user's: it stays, and is reported as what stayed.
            continue
        finally:
            os.close(pidfd)
    return reached


def end_descendants(
    root: int,
    is_empty: Callable[[], bool],
    pause: Callable[[float], None],
    *,
    term_grace: float,
    limit: float,
    skip: Iterable[int] = (),
    known: Iterable[int] = (),
    strays: Strays | None = None,
) -> bool:
    """CONT and TERM to all, a wait, then KILL until nothing is left.

    KILL at once would itself leak: programs remove shared memory and lock
    files on TERM.

    Args:
        root: This process, a child subreaper.
        is_empty: Reaps what has exited; True when nothing is left, strays too.
        pause: Waits up to so many seconds, less if a child exits.
        term_grace: Seconds between TERM and KILL.
        limit: Seconds for the KILL loop.
        skip: Pids to spare, with all below them.
        known: Pids to spare, but not what is below them.
        strays: What is ours besides, and is ended too.

    Returns:
        True if nothing is left; False if *limit* ran out (another user's
        process, or one in an uninterruptible wait).
    """
    spared = {*skip, *known}

    def send(*numbers: int) -> list[int]:
        reached = signal_descendants(root, numbers, skip, known=spared)
        return reached + (strays.signal(numbers, spared) if strays else [])

    if is_empty():
        return True
    send(signal.SIGTERM, signal.SIGCONT)
    deadline = time.monotonic() + term_grace
    while not is_empty():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        pause(min(remaining, _LONG_PAUSE))
    if strays and not is_empty():
        strays.kill_cgroup(skip)
    deadline = time.monotonic() + limit
    before: list[int] = []
    while not is_empty():
        if time.monotonic() > deadline:
            return False
        now = send(signal.SIGKILL)
        # What re-forks is outrun only without a pause; what is merely slow
        # to die shows up again under the same pid.
        if now == before:
            pause(_PAUSE)
        before = now
    return True
