"""The run's supervisor as pytest sees it: ask for orphans, and end them.

An orphan of what pytest starts would go to init, where nobody finds it. The
run's supervisor adopts it instead, and reaps it as soon as it exits. pytest
itself could not: it would have to wait for strangers, and with that take
exit statuses away from the tested code.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import helpers, kernel, lineage, procfs
from pytest_tmuxlife.containment.kept import KeptFile
from pytest_tmuxlife.containment.marks import MARK

# What is adopted meanwhile gives no event here: look again so often.
_LOOK_AGAIN = 0.05
# Nor does the reaping of what has exited, which the supervisor does at once.
_REAPING = 0.001


class RunSupervisor:
    """Adopts the orphans of one run.

    Attributes:
        pid: Of the process.
        pytest_pid: Of its one child that is no orphan: pytest, under xdist
            the controller.
        run: Names the run in the marks of its processes.
        mark: Value of TMUXLIFE_MARK in what this process starts; "" before
            `set_mark`.
    """

    def __init__(
        self, pid: int, pytest_pid: int, run: str, *, is_shared: bool = False
    ) -> None:
        self.pid = pid
        self.pytest_pid = pytest_pid
        self.run = run
        self.mark = ""
        self._is_shared = is_shared
        self._helpers: dict[int, int | None] = {}
        self._children = KeptFile(f"/proc/{pid}/task/{pid}/children")
        # What that said when there was no orphan.
        self._no_orphans = b""

    @property
    def address(self) -> str:
        """What `attach` takes in another process of the run."""
        return f"{self.pid} {self.pytest_pid} {self.run}"

    @classmethod
    def attach(cls, address: str) -> RunSupervisor | None:
        """The supervisor of a run that this process is a worker of.

        It shows the orphans that bear this process's own mark. None if the
        address does not name an ancestor of this process.
        """
        pid, pytest_pid, run = address.split()
        if not procfs.is_below(os.getpid(), int(pid)):
            return None
        return cls(int(pid), int(pytest_pid), run, is_shared=True)

    def set_mark(self, name: str) -> None:
        """Mark what this process starts from now on, by its environment.

        Args:
            name: Of this process within the run.
        """
        self.mark = os.environ[MARK] = f"{self.run}-{name}"

    def orphans(self) -> list[int]:
        """Living orphans of what this process has started, by pid.

        In a worker only those that kept its mark; else every orphan of the
        run. Our own helpers are not among them. With none, it costs a read
        or two of /proc, whatever else the host runs.
        """
        return [
            pid
            for pid in self._adopted()
            if not _has_exited(pid) and self._is_to_show(pid)
        ]

    def end(self, pids: Iterable[int], *, term_grace: float, limit: float) -> list[int]:
        """End orphans with all below them: CONT and TERM, a wait, then KILL.

        Args:
            pids: Some of `orphans`; what is none of them is left alone.
            term_grace: Seconds between TERM and KILL.
            limit: Seconds for the KILL loop.

        Returns:
            Those that are still there: another user's process, or one in an
            uninterruptible wait. Of the others there is no zombie either.
        """
        wanted = set(pids)
        others = set(self._adopted()) - wanted

        def left() -> list[int]:
            # What one of them leaves as it ends is an orphan too.
            new = [pid for pid in self._adopted() if pid not in others]
            return [pid for pid in new if pid in wanted or self._is_to_show(pid)]

        def send(*numbers: int) -> None:
            for pid in left():
                wanted.update(self._signal_tree(pid, numbers))

        send(signal.SIGTERM, signal.SIGCONT)
        grace = Deadline(term_grace)
        while (pids := left()) and not grace.expired:
            self._wait_for_exit(pids, grace.remaining)
        deadline = Deadline(limit)
        while left() and not deadline.expired:
            send(signal.SIGKILL)
            self._wait_for_exit(left(), deadline.remaining)
        return left()

    def _wait_for_exit(self, pids: Iterable[int], seconds: float) -> None:
        """Until one of these orphans has exited; so many seconds at most."""
        living = [pid for pid in pids if not _has_exited(pid)]
        opened = [pidfd for pid in living if (pidfd := self._open(pid)) is not None]
        if not opened:
            time.sleep(_REAPING)
            return
        # Not select: what is under test can have more than 1023 descriptors open.
        poller = select.poll()
        for pidfd in opened:
            poller.register(pidfd, select.POLLIN)
        try:
            poller.poll(max(1, round(1000 * min(seconds, _LOOK_AGAIN))))
        finally:
            for pidfd in opened:
                os.close(pidfd)

    def _signal_tree(self, pid: int, numbers: Iterable[int]) -> list[int]:
        """Signal an orphan and all below it; return the pids meant."""
        pidfd = self._open(pid)
        if pidfd is None:
            return []
        opened = [(pid, pidfd)]
        try:
            opened += lineage.open_descendants(pid)
            for _, one in opened:
                _send(one, numbers)
            return [low for low, _ in opened]
        finally:
            for _, one in opened:
                os.close(one)

    def _open(self, pid: int) -> int | None:
        """A pidfd of an orphan, closed by the caller; None if it is none any more."""
        pidfd = kernel.open_pidfd(pid)
        if pidfd is None:
            return None
        now = procfs.stat(pid)
        if now is None or now.ppid != self.pid:
            os.close(pidfd)
            return None
        return pidfd

    def _adopted(self) -> list[int]:
        """Children of the supervisor but for pytest and our helpers."""
        line = self._children.read()
        if not line:
            pids = procfs.children(self.pid, threads=1)
        elif line == self._no_orphans:
            return []
        else:
            pids = [int(word) for word in line.split()]
        found = [pid for pid in pids if pid != self.pytest_pid]
        orphans = [pid for pid in found if not self._is_helper(pid)]
        if line and not orphans:
            self._no_orphans = line
        return orphans

    def close(self) -> None:
        """Keep nothing open; it can be asked again all the same."""
        self._children.close()

    def _is_helper(self, pid: int) -> bool:
        ticks = procfs.start_ticks(pid)
        if self._helpers.get(pid, -1) == ticks:
            return True
        if not helpers.is_helper(pid):
            return False
        self._helpers[pid] = ticks
        return True

    def _is_to_show(self, pid: int) -> bool:
        if not self._is_shared:
            return True
        return procfs.environment(pid).get(MARK) == self.mark


def _has_exited(pid: int) -> bool:
    # The supervisor reaps it in a moment.
    now = procfs.stat(pid)
    return now is None or now.is_zombie


def _send(pidfd: int, numbers: Iterable[int]) -> None:
    for number in numbers:
        try:
            kernel.send_signal(pidfd, number)
        except PermissionError:
            # Another user's: it stays, and is told as what stayed.
            return
