"""The leak check of a clean server, beside more and more other processes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from functools import partial

import psutil

from bench.crowd import Crowd
from bench.measuring import in_turns
from bench.ours import Ours
from bench.table import Row, Section, Target, rows_of
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment.processes import note_tree

_TARGET = Target(seconds=0.0002)
_END_LIMIT = 5.0


def _note(ours: Ours, _: int) -> float:
    """Seconds that a clean test pays for its check: its tree is noted.

    That nothing is left comes with the answer that the server has ended, for
    which any test waits.
    """
    keeper = ours.keeper()
    server = keeper.open_server({}, "bench")
    server.new_session()
    start = time.perf_counter()
    tree = note_tree(server.supervisor.pid)
    seconds = time.perf_counter() - start
    assert tree.processes
    ours.end(keeper)
    return seconds


def _ask(ours: Ours, _: int) -> float:
    """Seconds until a supervisor has answered that nothing is left."""
    keeper = ours.keeper()
    server = keeper.open_server({}, "bench")
    server.new_session()
    supervisor = server.supervisor
    server.kill()
    deadline = Deadline(_END_LIMIT)
    while not supervisor.look().empty and not deadline.expired:
        continue
    start = time.perf_counter()
    holding = supervisor.look()
    seconds = time.perf_counter() - start
    assert holding.empty
    ours.end(keeper)
    return seconds


def _by_psutil(ours: Ours, _: int) -> float:
    """What a check by psutil would have to do at least once."""
    keeper = ours.keeper()
    server = keeper.open_server({}, "bench")
    server.new_session()
    start = time.perf_counter()
    found = psutil.Process(server.pid).children(recursive=True)
    seconds = time.perf_counter() - start
    assert found
    ours.end(keeper)
    return seconds


def measure(n: int, crowds: Sequence[int]) -> Section:
    """The same for each number of unrelated processes."""
    rows: list[Row] = []
    notes = [
        "ours: the tree noted before the end. That nothing is left comes with the",
        "answer that the server has ended; asked on its own it takes a round trip.",
    ]
    for number in crowds:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(Crowd(number))
            except OSError as error:
                notes.append(
                    f"{number} unrelated processes: not possible here: {error}"
                )
                continue
            ours = stack.enter_context(Ours("native"))
            mine = f"pytest-tmuxlife, {number} others"
            asked = f"  asked on its own, {number} others"
            theirs = f"psutil children, {number} others"
            samples = in_turns(
                n,
                {
                    mine: partial(_note, ours),
                    asked: partial(_ask, ours),
                    theirs: partial(_by_psutil, ours),
                },
            )
            rows += rows_of(samples, mine, {mine: _TARGET})
    return Section("Leak check of a clean server", rows, notes)
