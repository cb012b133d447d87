"""What a process tree that goes on has more of than before: processes, descriptors.

For a tmux server that many tests share. Its end says nothing of one of them,
so each is held to the difference between two looks.
"""

from __future__ import annotations

import os
import select
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace

from pytest_tmuxlife.clock import Deadline, backoff
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.processes import ProcessInfo, ProcessTree
from pytest_tmuxlife.leaks.leak import Leak

_ADVICE = (
    "end what the server holds it for: a client, a job (run-shell, if-shell) or a "
    "pipe (pipe-pane) that the test has started"
)

# Seconds; an idle server closes its end of a connection within 1 ms.
_STAYS = 0.2

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Before:
    """What was there before a test.

    Attributes:
        processes: Pid and start of each.
        descriptors: What the tmux server had open, and how often.
    """

    processes: frozenset[Identity] = frozenset()
    descriptors: Counter[str] = field(default_factory=Counter)

    @property
    def pids(self) -> list[int]:
        """Of those processes that are still there."""
        return [
            pid for pid, start in self.processes if procfs.start_ticks(pid) == start
        ]


def identity(process: ProcessInfo) -> Identity:
    """What tells it from another one that gets the same pid later."""
    return process.pid, process.start_ticks


def note(tree: ProcessTree, server_pid: int) -> Before:
    """What is there now."""
    return Before(
        frozenset(identity(process) for process in tree.processes.values()),
        open_descriptors(server_pid),
    )


def added(tree: ProcessTree, before: Before) -> list[ProcessInfo]:
    """The processes of *tree* that were not there before."""
    return [
        process
        for process in tree.processes.values()
        if identity(process) not in before.processes
    ]


def without_heirs(tree: ProcessTree, tops: Container[int]) -> Iterator[ProcessInfo]:
    """Those of *tree* that are neither among *tops* nor below one of them."""
    inside: set[int] = set()
    for process in tree.processes.values():
        if process.pid in tops or process.ppid in inside:
            inside.add(process.pid)
        else:
            yield process


def open_descriptors(pid: int) -> Counter[str]:
    """What a process has open, as the links say; empty once it is gone.

    A socket or pipe of its own is told from another one: a server that is talked
    to has one connection now and another one later.

    Source: proc_pid_fd(5).
    """
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return Counter()
    links = (procfs.link(f"/proc/{pid}/fd/{number}") for number in numbers)
    return Counter(link for link in links if link is not None)


def more_descriptors(server_pid: int, before: Before) -> list[Leak]:
    """A `Leak` for each kind of which the server has some open that are new.

    A connection of our own is still open in the server for a moment after we
    have closed it; so what is new has to stay.
    """
    new = open_descriptors(server_pid) - before.descriptors
    deadline = Deadline(_STAYS)
    for pause in backoff(0.0005, 0.02):
        if not new or deadline.expired:
            break
        select.select([], [], [], pause)
        new &= open_descriptors(server_pid) - before.descriptors
    kinds: Counter[str] = Counter()
    for link, number in new.items():
        name, colon, _ = link.partition(":[")
        kinds[name if colon and name in ("socket", "pipe") else link] += number
    return [
        Leak(
            kind="descriptor",
            why=f"{number} more open in the tmux server than before the test",
            seen_by=("descriptors",),
            process=None,
            opened_at=None,
            advice=_ADVICE,
            target=kind,
        )
        for kind, number in sorted(kinds.items())
    ]


def cut(tree: ProcessTree, to: list[ProcessInfo], server_pid: int) -> ProcessTree:
    """*tree* with nothing but *to*, what those descend from, and the server.

    An orphan descends from the first process of its Unix session: its pane's.
    """
    kept = {server_pid} if to else set()
    for process in to:
        for pid in (process.pid, process.sid):
            while pid in tree.processes and pid not in kept:
                kept.add(pid)
                pid = tree.processes[pid].ppid
    return replace(
        tree,
        processes={
            pid: process for pid, process in tree.processes.items() if pid in kept
        },
    )
