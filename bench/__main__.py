"""Takes the figures and prints them: ``python -m bench``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable

from bench import bulk, check, cost, late, machine, start, talk, wait, whole
from bench.table import Section, render

_CROWDS = (0, 500, 3000)
_QUICK_CROWDS = (0, 500)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("-n", type=int, help="how often each is measured (100)")
    parser.add_argument("--quick", action="store_true", help="a short run, to try it")
    parser.add_argument("--only", metavar="WORD", help="sections whose name has WORD")
    parser.add_argument(
        "--write", action="store_true", help=f"write {machine.PAGE.name} of the docs"
    )
    return parser.parse_args()


def _sections(n: int, quick: bool) -> dict[str, Callable[[], Section]]:
    few = max(3, n // 5)
    crowds = _QUICK_CROWDS if quick else _CROWDS
    return {
        "start": lambda: start.measure(n),
        "fixtures": lambda: start.measure_fixtures(n),
        "wait": lambda: wait.measure(n, wait.LATER),
        "wait soon": lambda: wait.measure(n, wait.SOON),
        "run": lambda: talk.measure_run(n),
        "lines": lambda: talk.measure_lines(few),
        "megabyte": lambda: bulk.measure_megabyte(few),
        "panes": lambda: bulk.measure_panes(n),
        "check": lambda: check.measure(n // 2 + 1, crowds),
        "whole": lambda: whole.measure(200 if quick else 500, (0, crowds[-1])),
        "held": lambda: whole.measure_memory(1000 if quick else 10_000),
        "late": lambda: late.measure(n),
        "late, CPU": lambda: late.measure_share(5.0),
        "memory": cost.measure_memory,
        "cpu": lambda: cost.measure_cpu(1.0 if quick else 5.0),
    }


def _shield(directory: str) -> None:
    """The user's own tmux, shell start-up files and prompt stay out of it."""
    for name in ("TMUX", "TMUX_PANE", "ENV", "BASH_ENV", "PROMPT_COMMAND"):
        os.environ.pop(name, None)
    os.environ["TMUX_TMPDIR"] = os.environ["HOME"] = directory
    os.environ["SHELL"] = "/bin/bash"


def main() -> int:
    arguments = _arguments()
    n = arguments.n or (10 if arguments.quick else 100)
    print(machine.facts(), end="\n\n", flush=True)
    blocks = []
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        _shield(directory)
        for name, measure in _sections(n, arguments.quick).items():
            if arguments.only and arguments.only not in name:
                continue
            blocks.append(render(measure()))
            print(blocks[-1], end="\n\n", flush=True)
    if arguments.write:
        machine.PAGE.parent.mkdir(parents=True, exist_ok=True)
        command = " ".join(["python -m bench", *sys.argv[1:]])
        machine.PAGE.write_text(machine.page(command, blocks), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
