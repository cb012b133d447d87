"""Ending what is left below a process of ours that has outlived its pytest.

All signals are blocked in such a process, so a child's exit is waited for.
"""

from __future__ import annotations

import os
import signal
import time

from pytest_tmuxlife.containment import helpers, killing, procfs

# What is on its way out may go; less, when there is nobody left to wait for.
GRACE = 1.0
SHORT_GRACE = 0.3
_TERM_GRACE = 0.3
_KILL_LIMIT = 2.0
# A reaper ends by itself when its pytest has, and has tmux servers to end before.
_HELPERS_LIMIT = 6.0


class Remains:
    """What is below this process, a child subreaper.

    Attributes:
        statuses: Wait statuses of the children that were asked for.
    """

    def __init__(self, *wanted: int) -> None:
        self.statuses: dict[int, int] = {}
        self._wanted = wanted
        self._me = os.getpid()

    def reap(self) -> bool:
        """Reap all that has exited; True when nothing is left (ECHILD)."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid in self._wanted:
                self.statuses[pid] = status

    def end(self, grace: float) -> list[str]:
        """End everything; return what had to be ended, as lines of text.

        Our own helpers come last, for they have others to end.

        Args:
            grace: Seconds in which what is on its way out may go.
        """
        self._wait(grace)
        spared = self._helpers()
        left = [_line(pid) for pid in self._descendants(spared)]
        killing.end_descendants(
            self._me,
            self._has_only_helpers,
            self._pause,
            term_grace=_TERM_GRACE,
            limit=_KILL_LIMIT,
            skip=spared,
        )
        self._wait(_HELPERS_LIMIT, for_helpers=True)
        killing.end_descendants(
            self._me,
            self.reap,
            self._pause,
            term_grace=_TERM_GRACE,
            limit=_KILL_LIMIT,
        )
        return left

    def _wait(self, seconds: float, *, for_helpers: bool = False) -> None:
        deadline = time.monotonic() + seconds
        is_over = self.reap if for_helpers else self._has_only_helpers
        while not is_over() and (left := deadline - time.monotonic()) > 0:
            self._pause(left)

    def _pause(self, seconds: float) -> None:
        signal.sigtimedwait({signal.SIGCHLD}, seconds)

    def _descendants(self, spared: set[int]) -> list[int]:
        tops = [
            pid for pid in procfs.children(self._me, threads=1) if pid not in spared
        ]
        return [*tops, *(low for top in tops for low, _ in procfs.descendants(top))]

    def _helpers(self) -> set[int]:
        pids = procfs.children(self._me, threads=1)
        return {pid for pid in pids if helpers.is_helper(pid)}

    def _has_only_helpers(self) -> bool:
        if self.reap():
            return True
        spared = self._helpers()
        # Without any, only ECHILD says so: /proc is no proof.
        return bool(spared) and spared.issuperset(procfs.children(self._me, threads=1))


def _line(pid: int) -> str:
    command = " ".join(procfs.command_line(pid))
    return f"  {pid} {command}"
