"""Ending processes that are known by their identity, in the pytest process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable

from pytest_tmuxlife.containment import kernel
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.killing import open_descendants


def end_identified(
    processes: Iterable[Identity], *, term_grace: float, limit: float = 2.0
) -> None:
    """CONT and TERM, a wait, then KILL, for each with all below it.

    What is gone, or is another process by now, is left alone.

    Args:
        processes: Who is meant.
        term_grace: Seconds between TERM and KILL.
        limit: Seconds for the KILL.
    """
    pidfds: list[int] = []
    try:
        pids = []
        for process in processes:
            pidfd = process.open()
            if pidfd is not None:
                pids.append(process.pid)
                pidfds.append(pidfd)
        _open_below(pids, pidfds)
        _send_to_all(pidfds, (signal.SIGTERM, signal.SIGCONT))
        if not _all_exit(pidfds, term_grace):
            _open_below(pids, pidfds)
            _send_to_all(pidfds, (signal.SIGKILL,))
            _all_exit(pidfds, limit)
    finally:
        for pidfd in pidfds:
            os.close(pidfd)


def _open_below(pids: Iterable[int], pidfds: list[int]) -> None:
    for pid in pids:
        pidfds += [pidfd for _, pidfd in open_descendants(pid)]


def _send_to_all(pidfds: Iterable[int], numbers: Iterable[int]) -> None:
    for pidfd in pidfds:
        try:
            for number in numbers:
                kernel.send_signal(pidfd, number)
        except PermissionError:
            # Another user's: it stays, and was reported.
            continue


def _all_exit(pidfds: Iterable[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    return all(
        kernel.has_exited(pidfd, max(0.0, deadline - time.monotonic()))
        for pidfd in pidfds
    )
