"""Strays: processes that are ours, although they descend from nobody here.

Runs in the helpers. Lineage finds all that stays below a supervisor. What
left it (an older daemon, or an older PID namespace, has adopted it) is found
by its cgroup and its mark.

Without a child subreaper every orphan is a stray. Then those that were seen
below the server are noted while it stands, with their Unix sessions: nobody
enters such a session but by a fork from within.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from pytest_tmuxlife.containment import cgroup, kernel, lineage, marks, procfs

_ATTEMPTS = 3


class Strays:
    """What is ours and not below *root*.

    Attributes:
        root: Pid of this process.
        cgroup: Directory of a cgroup of ours, "" without one.
        mark: What ours bear: the mark of a server, or a run's id.
        unmarked: Pids whose descendants may bear the mark: somebody else
            holds those.
        adopts: *root* is a child subreaper.
    """

    def __init__(
        self,
        root: int,
        cgroup: str,
        mark: str,
        unmarked: Iterable[int] = (),
        *,
        adopts: bool = True,
    ) -> None:
        self.root = root
        self.cgroup = cgroup
        self.mark = mark
        self.unmarked = frozenset(unmarked)
        self.adopts = adopts
        # By pid: a pidfd, which is who it is, and the layer that saw it.
        self._noted: dict[int, tuple[int, str]] = {}

    def find(self) -> dict[int, list[str]]:
        """Those that live, by pid, each with the layers that see it.

        One read of a file where there is none. Those that bear the mark
        count once `note_marked` has noted them.
        """
        found: dict[int, list[str]] = {}
        if self._noted:
            if not self.adopts:
                self._note_below(list(self._noted))
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

    def is_empty(self) -> bool:
        """None is there; without a subreaper those with the mark count too."""
        if self.find():
            return False
        if self.adopts:
            return True
        self.note_marked()
        return not self.find()

    def note(self, server: int) -> None:
        """Note what is below us and below *server*, and who shares a session.

        Args:
            server: A process of ours that is held by a pidfd, or 0.
        """
        if server:
            self._note(server, kernel.open_pidfd(server), "lineage")
        self._note_below([*self._noted, server] if server else list(self._noted))
        self._note_sessions()

    def _note(self, pid: int, pidfd: int | None, layer: str) -> None:
        if pidfd is None:
            return
        if pid in self._noted:
            os.close(pidfd)
        else:
            self._noted[pid] = (pidfd, layer)

    def _note_below(self, roots: list[int]) -> None:
        for pid, pidfd in lineage.open_descendants(self.root, also=roots):
            self._note(pid, pidfd, "lineage")

    def _note_sessions(self) -> None:
        leaders = [
            pid for pid in self._noted if (now := procfs.stat(pid)) and now.sid == pid
        ]
        found = {}
        for pid in procfs.all_pids():
            if pid in self._noted or _session(pid) not in leaders:
                continue
            pidfd = kernel.open_pidfd(pid)
            if pidfd is not None:
                found[pid] = pidfd
        # A leader that lives had its number all the while.
        living = {pid for pid in leaders if not kernel.has_exited(self._noted[pid][0])}
        for pid, pidfd in found.items():
            if _session(pid) in living and pid != self.root:
                self._note(pid, pidfd, "session")
            else:
                os.close(pidfd)

    def note_marked(self) -> None:
        """Look for what bears the mark; costs a read for each process here."""
        for pid, pidfd in marks.open_marked(self.mark).items():
            held = {self.root, *self.unmarked}
            if pid in held or _is_below(pid, held):
                os.close(pidfd)
            else:
                self._note(pid, pidfd, "marker")

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


def _session(pid: int) -> int:
    now = procfs.stat(pid)
    return now.sid if now is not None else 0


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
