"""What is still held, as leaks: described first, and ended after that."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import kernel, killing
from pytest_tmuxlife.containment.processes import ProcessTree, note_tree
from pytest_tmuxlife.leaks import descriptors, openings
from pytest_tmuxlife.leaks.baseline import Thing
from pytest_tmuxlife.leaks.escape import Scene
from pytest_tmuxlife.leaks.model import Leak
from pytest_tmuxlife.leaks.openings import Opening
from pytest_tmuxlife.leaks.sight import Sight
from pytest_tmuxlife.leaks.survivors import describe

_OF_THIS_PROCESS = ("baseline",)


@dataclass(frozen=True, slots=True)
class Held:
    """Something that is accused, with where it may have come from."""

    thing: Thing
    openings: Sequence[Opening] = ()


def describe_all(accused: Iterable[Held], root: str) -> list[Leak]:
    """A `Leak` for each, and for each process below one that is accused.

    Args:
        accused: What is left.
        root: Directory that places are shown relative to.
    """
    accused = list(accused)
    processes = [held for held in accused if held.thing.sort == "process"]
    tree = note_tree(os.getpid(), threads=0) if processes else ProcessTree(0)
    leaks: list[Leak] = []
    for held in accused:
        if held.thing.sort == "descriptor":
            leaks += _descriptor(held, root)
        elif held.thing.sort == "process":
            leaks += _process(held, tree, root)
        else:
            leaks.append(_shared(held, root))
    return leaks


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


def _process(held: Held, tree: ProcessTree, root: str) -> list[Leak]:
    top = tree.processes.get(held.thing.number)
    if top is None:
        return []
    scene = Scene(tree, os.getpid(), 0)
    sight = Sight(tree, {}, frozenset(), "")
    first, *below = describe([top, *tree.below(top.pid)], scene, sight)
    if not top.is_zombie:
        first = replace(
            first,
            why="still runs, a child of pytest",
            advice="end it and wait for it (terminate and wait, or a with statement)",
        )
    first = replace(first, opened_at=openings.shown(list(held.openings), root))
    reason = f"below {top.label} {top.pid}"
    return [first, *(replace(leak, why=reason, started_by=reason) for leak in below)]


def _shared(held: Held, root: str) -> Leak:
    thing = held.thing
    is_file = thing.sort == "shared memory"
    return Leak(
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


def end_processes(
    pids: Iterable[int], *, term_grace: float, limit: float = 2.0
) -> None:
    """End children of this process with all below them; nobody is reaped.

    CONT and TERM, a wait, then KILL. A child keeps its pid until this process
    waits for it, which stays the affair of who started it.

    Args:
        pids: Children of this process.
        term_grace: Seconds between TERM and KILL.
        limit: Seconds for the KILL.
    """
    tops = [
        (pid, pidfd) for pid in pids if (pidfd := kernel.open_pidfd(pid)) is not None
    ]
    held = [pidfd for _, pidfd in tops]
    try:
        for pid, _ in tops:
            held += [pidfd for _, pidfd in killing.open_descendants(pid)]
        _send(held, signal.SIGTERM, signal.SIGCONT)
        if _all_exited(held, Deadline(term_grace)):
            return
        _send(held, signal.SIGKILL)
        for pid, _ in tops:
            held += [pidfd for _, pidfd in killing.open_descendants(pid)]
        _send(held, signal.SIGKILL)
        _all_exited(held, Deadline(limit))
    finally:
        for pidfd in held:
            os.close(pidfd)


def _send(pidfds: Iterable[int], *numbers: int) -> None:
    for pidfd in pidfds:
        for number in numbers:
            try:
                kernel.send_signal(pidfd, number)
            except PermissionError:
                # Another user's: it stays, and was reported.
                break


def _all_exited(pidfds: Iterable[int], deadline: Deadline) -> bool:
    return all(kernel.has_exited(pidfd, deadline.remaining) for pidfd in pidfds)
