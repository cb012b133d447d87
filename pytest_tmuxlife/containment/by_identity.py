"""Ending processes that are known by their identity, in the pytest process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable

from pytest_tmuxlife.containment import kernel
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.lineage import open_descendants


def end_identified(
    processes: Iterable[Identity],
    *,
    term_grace: float,
    limit: float = 2.0,
    spare: Collection[Identity] = (),
) -> None:
    """CONT and TERM, a wait, then KILL, for each with all below it.

    What is gone, or is another process by now, is left alone.

    Args:
        processes: Who is meant.
        term_grace: Seconds between TERM and KILL.
        limit: Seconds for the KILL.
        spare: Who goes on living, though meant or below one of those.
    """
    pidfds: list[int] = []
    try:
        pids = []
        for process in processes:
            pidfd = process.open()
            if pidfd is None:
                continue
            pids.append(process.pid)
            if process in spare:
                os.close(pidfd)
            else:
                pidfds.append(pidfd)
        pidfds += _open_below(pids, spare)
        _send_to_all(pidfds, (signal.SIGTERM, signal.SIGCONT))
        if not _all_exit(pidfds, term_grace):
            pidfds += _open_below(pids, spare)
            _send_to_all(pidfds, (signal.SIGKILL,))
            _all_exit(pidfds, limit)
    finally:
        for pidfd in pidfds:
            os.close(pidfd)


def _open_below(pids: Iterable[int], spare: Collection[Identity]) -> list[int]:
    opened = [one for pid in pids for one in open_descendants(pid)]
    wanted = []
    for pid, pidfd in opened:
        if spare and Identity.of(pid) in spare:
            os.close(pidfd)
        else:
            wanted.append(pidfd)
    return wanted


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
