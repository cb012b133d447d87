"""Samples taken in turns, and what they amount to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """Durations of one piece of work, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    @property
    def n(self) -> int:
        return len(self.seconds)


def timed(work: Callable[[], object]) -> float:
    """Seconds that *work* takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(
    n: int, works: Mapping[str, Callable[[int], float]], at_a_time: int = 1
) -> dict[str, Sample]:
    """Do each work *n* times, taking turns.

    Args:
        n: How often each counts; a few times before that do not.
        works: Each does its work once, is given a number of its own, and
            returns the seconds that it took.
        at_a_time: So often in one turn: what a test does many times on end
            is not as slow as after each of the others' work.
    """
    names = list(works)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(0, n + _WARM_UP, at_a_time):
        # Whoever comes first must not always be the same.
        shift = number // at_a_time % len(names)
        for name in names[shift:] + names[:shift]:
            for step in range(at_a_time):
                taken[name].append(works[name](number + step))
    return {name: Sample(tuple(all_[_WARM_UP:][:n])) for name, all_ in taken.items()}
