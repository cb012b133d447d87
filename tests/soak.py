"""Slow: kills at random moments, and the lists of programs many times over.

``python tests/soak.py`` prints a line for each case and ``N passed, N
failed`` at the end; its exit status is 1 if one failed. Not collected by
pytest: it takes minutes.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from busy_run import BUSY, BUSY_OPTIONS
from runs import PytestProcess, eventually, kill, kill_at_once
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
    parser.add_argument("--kills", type=int, default=50, help="of pytest [50]")
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
    span = measure() if options.kills or options.helper_kills else 0.0
    if span:
        say(f"a run that nobody kills takes {span:.1f} s")
    kills = [("pytest", number) for number in range(options.kills)]
    for victim in ("reaper", "supervisor", "all"):
        kills += [(victim, number) for number in range(options.helper_kills)]
    for victim, number in kills:
        yield kill_case(victim, random.uniform(0, span), pool=number % 2 == 1)
    for number in range(options.lists):
        yield f"programs, time {number + 1}", run_lists(options.workers)


def measure() -> float:
    """Seconds that the run takes when it is left alone."""
    with tempfile.TemporaryDirectory() as where:
        started = time.monotonic()
        with PytestProcess(Path(where), BUSY, *BUSY_OPTIONS) as run:
            run.wait()
            span = time.monotonic() - started
            run.assert_nothing_left()
            assert run.all_tests_ran, run.output
    return span


def kill_case(victim: str, moment: float, *, pool: bool) -> tuple[str, str]:
    """Kill somebody of a run after *moment* seconds, and look for what is left."""
    name = f"{victim} killed after {moment:.3f} s{', with a pool' if pool else ''}"
    environment = {"INNER_POOL": "1"} if pool else {}
    with tempfile.TemporaryDirectory() as where:
        try:
            with PytestProcess(
                Path(where) / "run", BUSY, *BUSY_OPTIONS, environment=environment
            ) as run:
                run.has_exited_within(moment)
                return f"{name}: {KILLS[victim](run)}", ""
        except (AssertionError, OSError) as error:
            return name, str(error) or repr(error)


def kill_pytest(run: PytestProcess) -> str:
    """Nothing may be left 3 s after it."""
    run.note_processes()
    run.signal(signal.SIGKILL)
    status = run.wait()
    run.assert_nothing_left()
    return "killed" if status == -signal.SIGKILL else "it had ended"


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
    "pytest": kill_pytest,
    "reaper": kill_reaper,
    "supervisor": kill_supervisor,
    "all": kill_all,
}

if __name__ == "__main__":
    sys.exit(main())
