"""What is still held, as leaks: described first, and ended after that."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_tmuxlife.containment import listeners
from pytest_tmuxlife.containment.by_identity import end_identified
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.processes import note_tree, process_info
from pytest_tmuxlife.leaks import descriptors, openings
from pytest_tmuxlife.leaks.baseline import Sort, Thing
from pytest_tmuxlife.leaks.escape import Scene
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.openings import Opening
from pytest_tmuxlife.leaks.sight import Sight
from pytest_tmuxlife.leaks.survivors import describe

_OF_THIS_PROCESS = ("baseline",)
_END_THE_ORPHAN = "keep its pid, and end it by that before the test ends"


@dataclass(frozen=True, slots=True)
class Held:
    """Something that is accused, with where it may have come from."""

    thing: Thing
    openings: Sequence[Opening] = ()


def describe_all(
    accused: Iterable[Held], root: str, adopted: Collection[int] = ()
) -> list[Leak]:
    """A `Leak` for each, and for each process below one that is accused.

    Args:
        accused: What is left.
        root: Directory that places are shown relative to.
        adopted: Pids of orphans whose parent is the run's supervisor.
    """
    leaks: list[Leak] = []
    for held in accused:
        leaks += _DESCRIBED[held.thing.sort](held, root)
    return [_with_lineage(leak, adopted) for leak in leaks]


def _with_lineage(leak: Leak, adopted: Collection[int]) -> Leak:
    """A server that was found by its socket is an orphan besides."""
    if leak.process is None or leak.process.pid not in adopted:
        return leak
    others = (layer for layer in leak.seen_by if layer != "lineage")
    return replace(leak, seen_by=("lineage", *others))


def _descriptor(held: Held, root: str) -> list[Leak]:
    file = descriptors.describe(held.thing.number)
    if file is None:
        return []
    opened_at = openings.shown(list(held.openings), root)
    reasons = [_thread(held.openings)]
    if opened_at is None:
        reasons.append("place unknown")
    leak = Leak(
        kind="socket" if file.is_socket else "descriptor",
        why=", ".join(["still open", *(reason for reason in reasons if reason)]),
        seen_by=_OF_THIS_PROCESS,
        process=None,
        opened_at=opened_at,
        advice="close it, best by a with statement or a finalizer of the fixture",
        target=file.target,
    )
    return [leak]


def _thread(found: Sequence[Opening]) -> str:
    """Who opened it, if that was not the main thread."""
    names = dict.fromkeys(one.thread_name for one in found if one.thread_name)
    return f"opened by thread {' or '.join(names)}" if names else ""


def _process(held: Held, root: str) -> list[Leak]:
    found = _with_all_below(held.thing.number)
    if not found or found[0].process is None:
        return []
    first, top = found[0], found[0].process
    if held.thing.sort == "orphan":
        first = replace(first, advice=_END_THE_ORPHAN)
        if top.sid == os.getsid(0):
            first = replace(first, why="orphan: what started it has exited")
    elif not top.is_zombie:
        first = replace(
            first,
            why="still runs, a child of pytest",
            advice="end it and wait for it (terminate and wait, or a with statement)",
        )
    first = replace(first, opened_at=openings.shown(list(held.openings), root))
    reason = f"below {top.label} {top.pid}"
    return [first, *_because(reason, found[1:])]


def _because(reason: str, leaks: Iterable[Leak]) -> list[Leak]:
    return [replace(leak, why=reason, started_by=reason) for leak in leaks]


def _with_all_below(pid: int) -> list[Leak]:
    top = process_info(pid)
    if top is None:
        return []
    tree = note_tree(pid, threads=0)
    tree = replace(tree, root=top.ppid, processes={pid: top, **tree.processes})
    scene = Scene(tree, top.ppid, 0)
    sight = Sight(tree, {}, frozenset(), "")
    return describe(tree.processes.values(), scene, sight)


def _server(held: Held, root: str) -> list[Leak]:
    """A tmux server by its socket, and what runs in it."""
    pid = listeners.listener(held.thing.path)
    return [] if pid is None else describe_server(pid, held.thing.path)


def describe_server(pid: int, path: str) -> list[Leak]:
    """Leaks: a tmux server that listens at *path*, and all that runs in it."""
    found = _with_all_below(pid)
    if not found:
        return []
    first = replace(
        found[0],
        kind="tmux server",
        why=f"started by the tested code, listens on {path}",
        seen_by=("socket",),
        advice="end it with tmux kill-server on that socket",
        target=path,
    )
    return [first, *_because(f"in tmux server {pid}", found[1:])]


def _shared(held: Held, root: str) -> list[Leak]:
    thing = held.thing
    is_file = thing.sort == "shared memory"
    leak = Leak(
        kind="shared memory",
        why="not unlinked" if is_file else "not removed",
        seen_by=_OF_THIS_PROCESS,
        process=None,
        opened_at=openings.shown(list(held.openings), root),
        advice="unlink it once its last user is done; closing does not remove it"
        if is_file
        else "remove it (shmctl IPC_RMID) once its last user is done",
        target=thing.path if is_file else f"System V segment {thing.number}",
    )
    return [leak]


_DESCRIBED: dict[Sort, Callable[[Held, str], list[Leak]]] = {
    "descriptor": _descriptor,
    "process": _process,
    "orphan": _process,
    "tmux server": _server,
    "shared memory": _shared,
    "segment": _shared,
}


def end_processes(
    accused: Iterable[Held], *, term_grace: float, spare: Collection[Identity] = ()
) -> None:
    """End the processes among what is left, with all below them.

    Nobody is reaped: a child keeps its pid until this process waits for it,
    which stays the affair of who started it.

    Args:
        accused: What is left; what is no process is left alone.
        term_grace: Seconds between TERM and KILL.
        spare: Who goes on living.
    """
    accused = list(accused)
    found = [identity for held in accused if (identity := _identity(held.thing))]
    end_identified(found, term_grace=term_grace, spare=spare)
    for held in accused:
        if held.thing.sort == "tmux server":
            listeners.forget(held.thing.path)


def _identity(thing: Thing) -> Identity | None:
    """The process that is meant; None if it is none."""
    if thing.sort in ("process", "orphan"):
        return Identity(thing.number, thing.identity[0])
    if thing.sort != "tmux server":
        return None
    pid = listeners.listener(thing.path)
    found = None if pid is None else Identity.of(pid)
    # Asked again: now pid and start are proven to be of the same process.
    return found if listeners.listener(thing.path) == pid else None
