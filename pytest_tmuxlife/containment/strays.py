"""Strays: processes that are ours, although they descend from nobody here.

Runs in the helpers. Lineage finds all that stays below a supervisor. What
left it (an older daemon, or an older PID namespace, has adopted it) is found
by its cgroup and its mark.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from pytest_tmuxlife.containment import cgroup, kernel, marks, procfs

_ATTEMPTS = 3


class Strays:
    """What is ours and not below *root*.

    Attributes:
        root: Pid of this process.
        cgroup: Directory of a cgroup of ours, "" without one.
        mark: What ours bear: the mark of a server, or a run's id.
        unmarked: Pids whose descendants may bear the mark: somebody else
            holds those.
    """

    def __init__(
        self, root: int, cgroup: str, mark: str, unmarked: Iterable[int] = ()
    ) -> None:
        self.root = root
        self.cgroup = cgroup
        self.mark = mark
        self.unmarked = frozenset(unmarked)
        # By pid: a pidfd, which is who it is, and the layer that saw it.
        self._noted: dict[int, tuple[int, str]] = {}

    def find(self) -> dict[int, list[str]]:
        """Those that live, by pid, each with the layers that see it.

        One read of a file where there is none. Those that bear the mark
        count once `note_marked` has noted them.
        """
        found: dict[int, list[str]] = {}
        if self._noted:
            self._drop_exited()
            found = {pid: [layer] for pid, (_, layer) in self._noted.items()}
        if self.cgroup:
            for pid in cgroup.members(self.cgroup):
                found.setdefault(pid, []).append("cgroup")
        found.pop(self.root, None)
        return {
            pid: layers
            for pid, layers in found.items()
            if not _is_below(pid, {self.root})
        }

    def note_marked(self) -> None:
        """Look for what bears the mark; costs a read for each process here."""
        for pid, pidfd in marks.open_marked(self.mark).items():
            held = {self.root, *self.unmarked}
            if pid in self._noted or pid in held or _is_below(pid, held):
                os.close(pidfd)
            else:
                self._noted[pid] = (pidfd, "marker")

    def _drop_exited(self) -> None:
        for pid, (pidfd, _) in list(self._noted.items()):
            if kernel.has_exited(pidfd):
                os.close(pidfd)
                del self._noted[pid]

    def forget(self) -> None:
        """Drop what was noted."""
        for pidfd, _ in self._noted.values():
            os.close(pidfd)
        self._noted.clear()

    def kill_cgroup(self, skip: Iterable[int] = ()) -> None:
        """KILL to the whole cgroup, unless we or *skip* are in it."""
        if self.cgroup and not {self.root, *skip}.intersection(
            cgroup.members(self.cgroup)
        ):
            cgroup.kill(self.cgroup)

    def signal(self, numbers: Iterable[int], skip: Iterable[int] = ()) -> list[int]:
        """Send *numbers* to each, but for *skip*; return the pids reached."""
        wanted = set(self.find()).difference(skip)
        reached = []
        opened = cgroup.open_members(self.cgroup) if self.cgroup else {}
        try:
            for pid in wanted:
                pidfd = self._noted[pid][0] if pid in self._noted else opened.get(pid)
                if pidfd is not None and _send(pidfd, numbers):
                    reached.append(pid)
        finally:
            for pidfd in opened.values():
                os.close(pidfd)
        return reached


def _is_below(pid: int, roots: set[int]) -> bool:
    """One of *roots* is an ancestor of *pid*; so it is, if *pid* is gone."""
    for _ in range(_ATTEMPTS):
        above = procfs.ancestors(pid)
        if not roots.isdisjoint(above):
            return True
        if above and above[-1] <= 1:
            return False
    # Else its ancestors go faster than they can be listed.
    return procfs.stat(pid) is None


def _send(pidfd: int, numbers: Iterable[int]) -> bool:
    try:
        delivered = [kernel.send_signal(pidfd, number) for number in numbers]
        return all(delivered)
    except PermissionError:
        # Another user's: it stays, and is reported as what stayed.
        return False
