"""What this process holds at one moment, and what has appeared since another.

A look costs the same however many processes the host runs: it asks for the
open descriptors and the children of this process, for the names of shared
memory, and for the System V segments.

Source: proc_tid_children(5), proc_sysvipc(5), shm_overview(7).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pytest_tmuxlife.containment import kernel, listeners, procfs
from pytest_tmuxlife.containment.kept import KeptFile
from pytest_tmuxlife.leaks import descriptors

_SHARED_MEMORY = "/dev/shm"
_SEGMENTS = "/proc/sysvipc/shm"
# Nanoseconds; file times are as exact as the timer, 100 to 1000 Hz.
_CLOCK_TICK = 20_000_000

Sort = Literal[
    "descriptor", "process", "orphan", "tmux server", "shared memory", "segment"
]


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that this process holds, and who it is.

    Attributes:
        sort: What it is.
        number: A descriptor, a pid, or the id of a System V segment.
        identity: Device and inode of a descriptor, start time of a process:
            another thing with the same number is not the same.
        path: Of shared memory, or of a tmux server's socket.
    """

    sort: Sort
    number: int
    identity: tuple[int, ...]
    path: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What there was at one moment.

    Attributes:
        files: Descriptors, as `descriptors.look` gives them.
        children: Start times by pid; zombies are among them.
        shared: Inodes by name below /dev/shm, whoever made them.
        segments: Ids of System V segments that this process, or a living
            child, has made.
        orphans: Start times by pid.
        sockets: Inodes by path of tmux servers that the tested code started.
    """

    files: descriptors.Snapshot
    children: Mapping[int, int]
    shared: Mapping[str, int]
    segments: frozenset[int]
    orphans: Mapping[int, int]
    sockets: Mapping[str, int]


class View:
    """Looks at this process, and at what can be looked at beside it.

    Args:
        orphans: Pids of living orphans of what this process has started.
        sockets: Inodes by path, of tmux servers that nobody holds.
    """

    def __init__(
        self,
        orphans: Callable[[], Collection[int]] = tuple,
        sockets: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._orphans = orphans
        self._sockets = sockets
        self._descriptors = descriptors.Descriptors()
        self._shared = _SharedMemory()
        self._segments = KeptFile(_SEGMENTS)

    def look(self) -> Look:
        """What there is now."""
        children = _children()
        return Look(
            self._descriptors.look(),
            children,
            self._shared.look(),
            _made_by(children, self._segments.read()),
            _with_start(self._orphans()),
            self._sockets(),
        )

    def is_as_in(self, last: Look) -> bool:
        """Nothing has come or gone since *last*, which was the last look.

        A descriptor that was closed and another that took its place are not
        seen; nor is shared memory, which counts only if its opening was heard.
        False if that would take more than a glance.
        """
        return (
            self._descriptors.are_as_many(last.files)
            and not (last.children or kernel.has_children())
            and not (last.orphans or self._orphans())
            and _made_by((), self._segments.read()) == last.segments
            and not (last.sockets or self._sockets())
        )

    def close(self) -> None:
        """Keep nothing open; it can be looked at again all the same."""
        self._segments.close()

    def still_there(self, things: Iterable[Thing]) -> list[Thing]:
        """Those of *things* that are there now."""
        wanted = list(things)
        if not wanted:
            return []
        now = self.look()
        return [thing for thing in wanted if _is_in(thing, now)]


class _SharedMemory:
    """Inodes by name below /dev/shm; listed anew when the directory has changed."""

    def __init__(self) -> None:
        self._names: Mapping[str, int] = {}
        self._changed_at = -1

    def look(self) -> Mapping[str, int]:
        try:
            changed_at = os.stat(_SHARED_MEMORY).st_mtime_ns
            if changed_at != self._changed_at:
                now = time.time_ns()
                with os.scandir(_SHARED_MEMORY) as entries:
                    self._names = {entry.name: entry.inode() for entry in entries}
                # A change within the same tick of the clock would not show.
                is_settled = now - changed_at > _CLOCK_TICK
                self._changed_at = changed_at if is_settled else -1
        except OSError:
            self._names, self._changed_at = {}, -1
        return self._names


def _children() -> Mapping[int, int]:
    if not kernel.has_children():
        return {}
    return _with_start(procfs.children(os.getpid()))


def _with_start(pids: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for pid in pids:
        now = procfs.stat(pid)
        if now is not None:
            found[pid] = now.start_ticks
    return found


def _made_by(children: Iterable[int], content: bytes | None) -> frozenset[int]:
    """Ids of the segments that this process, or a child, has made."""
    if not content or content.count(b"\n") < 2:
        # The header only, as on most machines.
        return frozenset()
    lines = content.splitlines()[1:]
    makers = {os.getpid(), *children}
    words = (line.split() for line in lines)
    return frozenset(int(word[1]) for word in words if int(word[4]) in makers)


def appeared(before: Look, after: Look, made: Iterable[str] = ()) -> list[Thing]:
    """What is in *after* and was not in *before*.

    Args:
        before: The earlier look.
        after: The later one.
        made: Paths below /dev/shm that this process opened in between: only
            of those it is known that they are not a stranger's.
    """
    if before == after:
        return []
    found = [
        Thing("descriptor", number, after.files[number])
        for number in descriptors.compare(before.files, after.files)
    ]
    found += _new_processes("process", before.children, after.children)
    servers = {
        # tmux leaves the socket of a server that has ended.
        pid: Thing("tmux server", 0, (inode,), path)
        for path, inode in after.sockets.items()
        if before.sockets.get(path) != inode
        and (pid := listeners.listener(path)) is not None
    }
    orphans = _new_processes("orphan", before.orphans, after.orphans)
    found += [orphan for orphan in orphans if orphan.number not in servers]
    found += servers.values()
    for path in made:
        name = path.removeprefix(_SHARED_MEMORY + "/")
        inode = after.shared.get(name)
        if inode is not None and before.shared.get(name) != inode:
            found.append(Thing("shared memory", 0, (inode,), path))
    found += [
        Thing("segment", number, ()) for number in after.segments - before.segments
    ]
    return found


def _new_processes(
    sort: Sort, before: Mapping[int, int], after: Mapping[int, int]
) -> list[Thing]:
    return [
        Thing(sort, pid, (ticks,))
        for pid, ticks in after.items()
        if before.get(pid) != ticks
    ]


def _is_in(thing: Thing, now: Look) -> bool:
    if thing.sort == "descriptor":
        return now.files.get(thing.number) == thing.identity
    if thing.sort == "process":
        return (now.children.get(thing.number),) == thing.identity
    if thing.sort == "orphan":
        return (now.orphans.get(thing.number),) == thing.identity
    if thing.sort == "tmux server":
        is_there = (now.sockets.get(thing.path),) == thing.identity
        return is_there and listeners.listener(thing.path) is not None
    if thing.sort == "shared memory":
        name = thing.path.removeprefix(_SHARED_MEMORY + "/")
        return (now.shared.get(name),) == thing.identity
    return thing.number in now.segments
