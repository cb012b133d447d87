"""What this process holds at one moment, and what has appeared since another.

A look costs the same however many processes the host runs: it asks for the
open descriptors and the children of this process, for the names of shared
memory, and for the System V segments.

Source: proc_tid_children(5), proc_sysvipc(5), shm_overview(7).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pytest_tmuxlife.containment import listeners, procfs
from pytest_tmuxlife.leaks import descriptors

_SHARED_MEMORY = "/dev/shm"
_SEGMENTS = "/proc/sysvipc/shm"

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


@dataclass(frozen=True, slots=True)
class View:
    """What can be looked at beside this process itself.

    Attributes:
        orphans: Pids of living orphans of what this process has started.
        sockets: Inodes by path, of tmux servers that nobody holds.
    """

    orphans: Callable[[], Iterable[int]] = tuple
    sockets: Callable[[], Mapping[str, int]] = dict

    def look(self) -> Look:
        """What there is now."""
        children = _with_start(procfs.children(os.getpid()))
        return Look(
            descriptors.look(),
            children,
            _shared(),
            _segments_of(children),
            _with_start(self.orphans()),
            self.sockets(),
        )

    def still_there(self, things: Iterable[Thing]) -> list[Thing]:
        """Those of *things* that are there now."""
        wanted = list(things)
        if not wanted:
            return []
        now = self.look()
        return [thing for thing in wanted if _is_in(thing, now)]


def _with_start(pids: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for pid in pids:
        now = procfs.stat(pid)
        if now is not None:
            found[pid] = now.start_ticks
    return found


def _shared() -> dict[str, int]:
    try:
        with os.scandir(_SHARED_MEMORY) as entries:
            return {entry.name: entry.inode() for entry in entries}
    except OSError:
        return {}


def _segments_of(children: Iterable[int]) -> frozenset[int]:
    content = procfs.read_bytes(_SEGMENTS)
    lines = content.splitlines()[1:] if content else []
    if not lines:
        return frozenset()
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
