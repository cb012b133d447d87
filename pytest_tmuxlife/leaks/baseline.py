"""What this process holds at one moment, and what has appeared since another.

A look costs the same however many processes the host runs: it asks for the
open descriptors and the children of this process, for the names of shared
memory, and for the System V segments.

Source: proc_tid_children(5), proc_sysvipc(5), shm_overview(7).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.leaks import descriptors

_SHARED_MEMORY = "/dev/shm"
_SEGMENTS = "/proc/sysvipc/shm"

Sort = Literal["descriptor", "process", "shared memory", "segment"]


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that this process holds, and who it is.

    Attributes:
        sort: What it is.
        number: A descriptor, a pid, or the id of a System V segment.
        identity: Device and inode of a descriptor, start time of a process:
            another thing with the same number is not the same.
        path: Of shared memory.
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
    """

    files: descriptors.Snapshot
    children: Mapping[int, int]
    shared: Mapping[str, int]
    segments: frozenset[int] = frozenset()


def look() -> Look:
    """What there is now."""
    children = _children()
    return Look(descriptors.look(), children, _shared(), _segments_of(children))


def _children() -> dict[int, int]:
    found: dict[int, int] = {}
    for pid in procfs.children(os.getpid()):
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
    if after.children != before.children:
        found += [
            Thing("process", pid, (ticks,))
            for pid, ticks in after.children.items()
            if before.children.get(pid) != ticks
        ]
    for path in made:
        name = path.removeprefix(_SHARED_MEMORY + "/")
        inode = after.shared.get(name)
        if inode is not None and before.shared.get(name) != inode:
            found.append(Thing("shared memory", 0, (inode,), path))
    found += [
        Thing("segment", number, ()) for number in after.segments - before.segments
    ]
    return found


def still_there(things: Iterable[Thing]) -> list[Thing]:
    """Those of *things* that are there now."""
    wanted = list(things)
    if not wanted:
        return []
    now = look()
    return [thing for thing in wanted if _is_in(thing, now)]


def _is_in(thing: Thing, now: Look) -> bool:
    if thing.sort == "descriptor":
        return now.files.get(thing.number) == thing.identity
    if thing.sort == "process":
        return (now.children.get(thing.number),) == thing.identity
    if thing.sort == "shared memory":
        name = thing.path.removeprefix(_SHARED_MEMORY + "/")
        return (now.shared.get(name),) == thing.identity
    return thing.number in now.segments
