"""Kills in runs of every kind, and of our helpers, at random moments."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runs import GONE_LIMIT, PytestProcess, eventually, kill, kill_at_once
from runs_to_kill import VICTIMS, RunKind

from pytest_tmuxlife.containment.identity import Identity

# Seconds in which a run has started its helpers.
START_LIMIT = 30.0
# Said of a run that came to its end before the kill.
HAD_ENDED = "it had ended"
NEXT = "def test_nothing(): pass"
HELPERS = ("reaper", "supervisor", "all")


class Spans:
    """How long the run of a kind takes, when it is left alone for once.

    Args:
        say: Prints what was measured.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._known: dict[str, float] = {}

    def draw(self, kind: RunKind) -> float:
        """A moment of such a run, in seconds from its start."""
        if kind.name not in self._known:
            self._known[kind.name] = span = measure(kind)
            self._say(f"a run of kind {kind.name} takes {span:.1f} s")
        return random.uniform(0, self._known[kind.name])


def measure(kind: RunKind) -> float:
    """Seconds that the run takes when it is left alone."""
    with tempfile.TemporaryDirectory() as where:
        started = time.monotonic()
        with start(kind, Path(where)) as run:
            status = run.wait()
            span = time.monotonic() - started
            run.assert_nothing_left()
            assert status in (0, 1), run.output
            assert " passed" in run.output, run.output
    return span


def start(kind: RunKind, where: Path) -> PytestProcess:
    """A run of this kind in its own directory."""
    return PytestProcess(
        where, kind.source, *kind.options, environment=kind.environment
    )


def kill_case(kind: RunKind, victim: str, moment: float) -> tuple[str, str]:
    """Kill somebody of a run after *moment* seconds, and look for what is left."""
    name = f"{kind.name}: {victim} killed after {moment:.3f} s"
    with tempfile.TemporaryDirectory() as where:
        try:
            with start(kind, Path(where) / "run") as run:
                run.has_exited_within(moment)
                return f"{name}: {KILLS[victim](run)}", ""
        except (AssertionError, OSError) as error:
            return name, str(error) or repr(error)


def kill_run(victim: str) -> Callable[[PytestProcess], str]:
    """Nothing may be left 3 s after it."""

    def kill_it(run: PytestProcess) -> str:
        found = find_victim(run, victim)
        run.note_processes()
        reached = found is not None and kill(found)
        started = time.monotonic()
        run.assert_nothing_left()
        took = time.monotonic() - started
        run.wait()
        return f"all gone after {took:.2f} s" if reached else HAD_ENDED

    return kill_it


def kill_job(run: PytestProcess) -> str:
    """As with pytest, of which the supervisor and its helpers are in no job."""
    run.note_processes()
    if run.has_exited_within(0):
        return HAD_ENDED
    # Not reaped yet: the group is its own.
    os.killpg(run.pid, signal.SIGKILL)
    run.assert_nothing_left()
    return f"exit status {run.wait()}"


def kill_worker(run: PytestProcess) -> str:
    """Its servers are gone 3 s after it; xdist starts another one, and goes on."""
    found = find_victim(run, "worker")
    run.note_processes()
    if found is None or not kill(found):
        return HAD_ENDED
    its = eventually(lambda: not run.find_directory_of(found), GONE_LIMIT)
    assert its, f"the directory of the worker is left:\n{run.output}"
    status = run.wait()
    run.assert_nothing_left()
    # xdist gives up (3) if one dies as it starts.
    assert status in (0, 1, 3), f"exit status {status}:\n{run.output}"
    return f"exit status {status}"


def find_victim(run: PytestProcess, victim: str) -> Identity | None:
    """It, as soon as there is one; None if the run has ended before."""

    def look() -> bool | Identity | None:
        if run.has_exited_within(0):
            return True
        pid = VICTIMS[victim](run)
        return Identity.of(pid) if pid is not None else None

    found = eventually(look, START_LIMIT)
    assert found is not None, f"there is no {victim}:\n{run.output}"
    return found if isinstance(found, Identity) else None


def kill_reaper(run: PytestProcess) -> str:
    """The run ends by itself, with an error that says why."""
    return kill_one(run, lambda: run.find_helpers()[:1])


def kill_supervisor(run: PytestProcess) -> str:
    """As with the reaper."""
    return kill_one(run, lambda: run.find_helpers()[1:2])


def kill_one(run: PytestProcess, find: Callable[[], list[Identity]]) -> str:
    """Kill the helper that *find* gives as soon as there is one."""
    victims = eventually(lambda: run.has_exited_within(0) or find(), START_LIMIT)
    run.note_processes()
    reached = [kill(victim) for victim in victims] if victims is not True else []
    status = run.wait()
    if any(reached) and not run.all_tests_ran:
        assert status == 1, f"exit status {status}:\n{run.output}"
        assert "is gone" in run.output, run.output
    run.assert_nothing_left()
    return f"{sum(reached)} killed, exit status {status}"


def kill_all(run: PytestProcess) -> str:
    """The next run sweeps what nobody is left to end."""
    run.note_processes()
    run.signal(signal.SIGSTOP)
    killed = kill_at_once(run.find_helpers())
    run.signal(signal.SIGKILL)
    run.wait()
    with PytestProcess(
        run.directory_of_tests / "next", NEXT, root=run.root
    ) as following:
        assert following.wait() == 0, following.output
    run.assert_nothing_left()
    return f"{killed} helpers killed with it"


KILLS = {
    **{name: kill_run(name) for name in ("started", "run supervisor", "pytest")},
    "job": kill_job,
    "worker": kill_worker,
    "reaper": kill_reaper,
    "supervisor": kill_supervisor,
    "all": kill_all,
}
