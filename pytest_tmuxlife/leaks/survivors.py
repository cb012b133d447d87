"""Describing what is still there, before anything touches it."""

from __future__ import annotations

import os
import select
from collections.abc import Iterable
from dataclasses import replace

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.processes import (
    ProcessInfo,
    ProcessTree,
    note_tree,
)
from pytest_tmuxlife.leaks.escape import (
    Evidence,
    Scene,
    advice,
    gather,
    is_multiplexer,
    user_name,
    why_escaped,
)
from pytest_tmuxlife.leaks.held import held_by
from pytest_tmuxlife.leaks.leak import Descriptor, Kind, Leak
from pytest_tmuxlife.leaks.sight import Sight

_LOOKS = 50
_BETWEEN_LOOKS = 0.02
# Seconds that what was born during the teardown is watched.
_CHAIN_LIMIT = 0.3
_PAGE = os.sysconf("SC_PAGE_SIZE")


def describe(
    survivors: Iterable[ProcessInfo], scene: Scene, sight: Sight
) -> list[Leak]:
    """A `Leak` for each survivor, with why it escaped and what it holds."""
    processes = list(survivors)
    held = held_by(processes)
    return [
        _describe_one(process, scene, sight.layers(process), held[process.pid])
        for process in processes
    ]


def _describe_one(
    process: ProcessInfo,
    scene: Scene,
    seen_by: tuple[str, ...],
    held: tuple[Descriptor, ...],
) -> Leak:
    evidence = gather(process)
    face = procfs.face(process.pid)
    reasons = why_escaped(evidence, scene)
    return Leak(
        kind=_kind(process),
        why=", ".join(reasons),
        seen_by=seen_by,
        process=process,
        opened_at=None,
        advice=advice(reasons[0]),
        started_by=_started_by(evidence, scene),
        cwd=procfs.link(f"{face}/cwd") or "",
        memory=_resident(face),
        user=user_name(evidence.uid),
        descriptors=held,
    )


def _kind(process: ProcessInfo) -> Kind:
    if process.is_zombie:
        return "zombie"
    if is_multiplexer(process) and process.name == "tmux: server":
        return "tmux server"
    return "process"


def _started_by(evidence: Evidence, scene: Scene) -> str:
    """The parent it had; for an orphan the leader of its group, or its pane."""
    process = evidence.process
    noted = scene.tree.processes.get(process.pid, process)
    for pid in (noted.ppid, process.ppid):
        parent = scene.tree.processes.get(pid)
        if parent is not None:
            return f"{parent.label} {pid}"
    leader = scene.tree.processes.get(process.sid)
    if leader is not None and leader.pid != process.pid:
        return f"{leader.label} {leader.pid}"
    pane = evidence.pane
    return f"a process of pane {pane} that is gone" if pane else ""


def _resident(face: str) -> int:
    words = (procfs.read_bytes(f"{face}/statm") or b"0 0").split()
    return int(words[1]) * _PAGE


# What is there but exits while it is looked at, every time.
UNSEEN = Leak(
    kind="process",
    why="forks itself anew for ever, faster than it can be looked at",
    seen_by=("lineage",),
    process=None,
    opened_at=None,
    advice=advice("forks itself anew for ever"),
)


def steady_look(supervisor: int, strays: Iterable[int] = ()) -> ProcessTree:
    """All below the supervisor, and strays, as it stood together at one moment.

    A chain of forks that moves on during a look can stay unseen in it, or
    show a link that has exited; so it looks again, a bounded number of times,
    and leaves out what exited in the last one. What is exiting in every look
    hangs in that (an uninterruptible wait), so it is there.
    """
    hanging: set[int] | None = None
    for _ in range(_LOOKS):
        tree = note_tree(supervisor, also=strays)
        steps = {pid: _step(p, supervisor) for pid, p in tree.processes.items()}
        if steps and all(step == "there" for step in steps.values()):
            return tree
        exiting = {pid for pid, step in steps.items() if step == "exiting"}
        hanging = exiting if hanging is None else hanging & exiting
    there = {pid for pid, step in steps.items() if step == "there"} | (hanging or set())
    kept = {pid: info for pid, info in tree.processes.items() if pid in there}
    return replace(tree, processes=kept)


def _step(process: ProcessInfo, supervisor: int) -> str:
    """Whether it is still ``there`` where it was noted, ``exiting``, or ``gone``."""
    now = procfs.stat(process.pid)
    if (
        now is None
        or now.start_ticks != process.start_ticks
        or now.ppid != process.ppid
        # The supervisor is about to reap it.
        or (now.is_zombie and now.ppid == supervisor)
    ):
        return "gone"
    if now.is_zombie or procfs.face(process.pid) != f"/proc/{process.pid}":
        return "there"
    # Its memory and command line may be gone already, so nothing can be said of it.
    return "exiting" if now.is_exiting else "there"


def look_over_time(
    supervisor: int, noted: ProcessTree, strays: Iterable[int] = ()
) -> tuple[ProcessTree, set[int]]:
    """A steady look, and the pids in it that took the place of others meanwhile.

    A chain of forks shows itself only over time, and more slowly on a busy
    machine; so what was born since *noted* is watched for longer.
    """
    first = steady_look(supervisor, strays)
    deadline = Deadline(_CHAIN_LIMIT)
    while True:
        # Waiting on nothing.
        select.select([], [], [], _BETWEEN_LOOKS)
        now = steady_look(supervisor, strays)
        again = _respawned(first, now)
        born_since = [info for info in now.processes.values() if info not in noted]
        if again or deadline.expired or not (born_since or not now.processes):
            return now, again
        if not first.processes:
            first = now


def _respawned(before: ProcessTree, after: ProcessTree) -> set[int]:
    """Pids of *after* that do what one did which is gone since *before*."""
    gone = {
        info.command
        for info in before.processes.values()
        if info not in after and not info.is_zombie
    }
    return {
        info.pid
        for info in after.processes.values()
        if info not in before and not info.is_zombie and info.command in gone
    }
