"""Slow: kills at random moments, and the lists of programs many times over.

``python tests/soak.py`` prints a line for each case and ``N passed, N
failed`` at the end; its exit status is 1 if one failed. Not collected by
pytest: it takes minutes.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runs import GONE_LIMIT, PytestProcess, eventually, kill, kill_at_once
from runs_to_kill import RUN_KINDS, VICTIMS, RunKind
from soak_clean import clean_case

from pytest_tmuxlife.containment.identity import Identity

HERE = Path(__file__).parent
PROGRAM_LISTS = ("test_leaking_*.py", "test_clean_programs.py", "test_kinds.py")
# Seconds in which a run has started its helpers.
START_LIMIT = 30.0
# In which the workers of --clean note what is held.
CHUNKS = 8
NEXT = "def test_nothing(): pass"


def main() -> int:
    """Run what was asked for; 1 if a case failed."""
    options = parse_arguments()
    random.seed(options.seed)
    say(f"seed {options.seed}")
    passed = failed = 0
    for name, error in cases(options):
        passed, failed = passed + (not error), failed + bool(error)
        say(f"{'FAILED' if error else 'passed'}  {name}")
        if error:
            say("\n".join(f"    {line}" for line in error.splitlines()))
    say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def parse_arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kills",
        type=int,
        default=50,
        help="of pytest, or of what is above or below it, in the kinds in turn [50]",
    )
    parser.add_argument(
        "--kind",
        action="append",
        metavar="NAME",
        choices=[kind.name for kind in RUN_KINDS],
        help="of the runs to kill; may be given again [all of %(choices)s]",
    )
    parser.add_argument(
        "--helper-kills",
        type=int,
        default=10,
        help="of the reaper, of a supervisor, and of all at once, each [10]",
    )
    parser.add_argument(
        "--lists", type=int, default=20, help="times that the programs run [20]"
    )
    parser.add_argument(
        "--workers", default="0", help="pytest-xdist workers for the lists [0]"
    )
    parser.add_argument(
        "--clean",
        type=int,
        default=0,
        metavar="N",
        help="N clean tests in one run of two workers, in chunks; nothing may grow [0]",
    )
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    return parser.parse_args()


def cases(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Name and error of each case; the error is empty if it passed."""
    if options.clean:
        # Of each worker, which has about half of the tests.
        chunk = max(1, options.clean // 2 // CHUNKS)
        error = clean_case(options.clean, chunk, say)
        yield f"{options.clean} clean tests", error
    kinds = [one for one in RUN_KINDS if one.name in (options.kind or [one.name])]
    spans = Spans()
    for number in range(options.kills):
        kind = kinds[number % len(kinds)]
        victim = kind.victims[number // len(kinds) % len(kind.victims)]
        yield kill_case(kind, victim, spans.draw(kind))
    for helper in ("reaper", "supervisor", "all"):
        for number in range(options.helper_kills):
            # Without and with a pool.
            kind = RUN_KINDS[number % 2]
            yield kill_case(kind, helper, spans.draw(kind))
    for number in range(options.lists):
        yield f"programs, time {number + 1}", run_lists(options.workers)


class Spans:
    """How long the run of a kind takes, when it is left alone for once."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}

    def draw(self, kind: RunKind) -> float:
        """A moment of such a run, in seconds from its start."""
        if kind.name not in self._known:
            self._known[kind.name] = span = measure(kind)
            say(f"a run of kind {kind.name} takes {span:.1f} s")
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
        return f"all gone after {took:.2f} s" if reached else "it had ended"

    return kill_it


def kill_job(run: PytestProcess) -> str:
    """As with pytest, of which the supervisor and its helpers are in no job."""
    run.note_processes()
    if not run.has_exited_within(0):
        os.killpg(run.pid, signal.SIGKILL)
    run.assert_nothing_left()
    return f"exit status {run.wait()}"


def kill_worker(run: PytestProcess) -> str:
    """Its servers are gone 3 s after it; xdist starts another one, and goes on."""
    found = find_victim(run, "worker")
    run.note_processes()
    if found is None or not kill(found):
        return "it had ended"
    its = eventually(lambda: not run.find_directory_of(found), GONE_LIMIT)
    assert its, f"the directory of the worker is left:\n{run.output}"
    status = run.wait()
    run.assert_nothing_left()
    assert status in (0, 1), f"exit status {status}:\n{run.output}"
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


def run_lists(workers: str) -> str:
    """What pytest printed if a test of the lists failed, else nothing."""
    files = sorted(str(path) for glob in PROGRAM_LISTS for path in HERE.glob(glob))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    workers_option = ["-n", workers] if workers != "0" else []
    done = subprocess.run(
        [*command, *workers_option, *files],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout[-8000:] + done.stderr[-2000:]


KILLS = {
    **{name: kill_run(name) for name in ("started", "run supervisor", "pytest")},
    "job": kill_job,
    "worker": kill_worker,
    "reaper": kill_reaper,
    "supervisor": kill_supervisor,
    "all": kill_all,
}

if __name__ == "__main__":
    sys.exit(main())
