"""Slow: kills at random moments, and the lists of programs many times over.

``python tests/soak.py`` prints a line for each case and ``N passed, N
failed`` at the end; its exit status is 1 if one failed. Not collected by
pytest: it takes minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from runs_to_kill import RUN_KINDS
from soak_clean import clean_case
from soak_kills import HAD_ENDED, HELPERS, Spans, kill_case
from soak_presets import presets_case
from soak_texts import texts_case

HERE = Path(__file__).parent
PROGRAM_LISTS = ("test_leaking_*.py", "test_clean_programs.py", "test_kinds.py")
TALK_LISTS = (
    "test_echo*.py",
    "test_exact_*.py",
    "test_pane_run.py",
    "test_pane_waits.py",
    "test_run_against_subprocess.py",
    "test_run_odd_cases.py",
)
# In which the workers of --clean note what is held.
CHUNKS = 8


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
        "--echo",
        type=int,
        default=0,
        metavar="N",
        help="N times the tests of echoes and of run, two busy loops beside them [0]",
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
    parser.add_argument(
        "--presets",
        type=int,
        default=0,
        metavar="N",
        help="times that every preset is tried, four at once and beside busy loops [0]",
    )
    parser.add_argument(
        "--texts",
        type=int,
        default=0,
        metavar="N",
        help="texts drawn at random, typed and pasted in each way and place [0]",
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
    if options.texts:
        yield f"{options.texts} texts in each way and place", texts_case(options.texts)
    for number in range(options.presets):
        yield f"presets, time {number + 1}", presets_case()
    kinds = [one for one in RUN_KINDS if one.name in (options.kind or [one.name])]
    spans = Spans(say)
    kills = tries = 0
    while kills < options.kills:
        kind = kinds[tries % len(kinds)]
        victim = kind.victims[tries // len(kinds) % len(kind.victims)]
        name, error = kill_case(kind, victim, spans.draw(kind))
        kills, tries = kills + (HAD_ENDED not in name), tries + 1
        yield name, error
    for helper in HELPERS:
        for number in range(options.helper_kills):
            # Without and with a pool.
            kind = RUN_KINDS[number % 2]
            yield kill_case(kind, helper, spans.draw(kind))
    for number in range(options.lists):
        error = run_lists(PROGRAM_LISTS, options.workers)
        yield f"programs, time {number + 1}", error
    for number in range(options.echo):
        with busy_loops(2):
            error = run_lists(TALK_LISTS, options.workers)
        yield f"echoes and run, time {number + 1}", error


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that do nothing but take time."""
    loop = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen(loop))
            stack.callback(process.kill)
        yield


def run_lists(globs: Sequence[str], workers: str) -> str:
    """What pytest printed if a test of the lists failed, else nothing."""
    files = sorted(str(path) for glob in globs for path in HERE.glob(glob))
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


if __name__ == "__main__":
    sys.exit(main())
