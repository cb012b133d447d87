"""Where something that this process holds comes from, and whose it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from pytest_tmuxlife.leaks import descriptors
from pytest_tmuxlife.leaks.baseline import Thing
from pytest_tmuxlife.leaks.holdings import Held
from pytest_tmuxlife.leaks.openings import Opening, Openings
from pytest_tmuxlife.leaks.reach import Reach, reach

# Seconds in which start times tick.
_TICK = 0.01


@dataclass(slots=True, eq=False)
class Claim:
    """What one fixture of wider scope answers for, until it has ended.

    Attributes:
        owner: Its name, scope and place.
        roots: What it holds, as objects; asked when something is accused.
        held: By thing, where it may have come from.
        threads: Those that it has started.
    """

    owner: str
    roots: Callable[[], Iterable[object]] = tuple
    held: dict[Thing, Held] = field(default_factory=dict)
    threads: set[threading.Thread] = field(default_factory=set)

    def reach(self) -> Reach:
        """What its objects hold now."""
        return reach(self.roots())


def find_openings(thing: Thing, openings: Openings) -> Held:
    """The thing, with what may have opened it."""
    found: Sequence[Opening] = ()
    if thing.sort == "descriptor":
        file = descriptors.describe(thing.number)
        found = openings.of_descriptor(file) if file else ()
    elif thing.sort == "process":
        found = openings.of_process(thing.number, thing.identity[0] * _TICK)
    elif thing.sort == "shared memory":
        found = (openings.segments[thing.path],)
    return Held(thing, tuple(found))


def holder_of(held: Held, reaches: Iterable[tuple[Claim, Reach]]) -> Claim | None:
    """The claim whose objects hold it, or whose thread has opened it."""
    thing = held.thing
    thread = _thread_of(held.openings)
    for claim, found in reaches:
        numbers = found.pids if thing.sort == "process" else found.descriptors
        if thing.sort in ("process", "descriptor") and thing.number in numbers:
            return claim
        if thread is not None and (thread in found.threads or thread in claim.threads):
            return claim
    return None


def is_of_thread(held: Held, threads: Collection[threading.Thread]) -> bool:
    """One of *threads* opened it."""
    return any(
        one.thread is not None and one.thread() in threads for one in held.openings
    )


def _thread_of(openings: Sequence[Opening]) -> threading.Thread | None:
    for one in openings:
        if one.thread is not None:
            return one.thread()
    return None
