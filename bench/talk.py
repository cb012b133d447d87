"""Talking to a pane: a command, and 50,000 lines of output."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable

from bench.measuring import in_turns, timed
from bench.ours import ENGINES, HISTORY, Ours, label
from bench.peers import SHELL, LibtmuxPane, bare_shell
from bench.table import Section, Target, rows_of
from pytest_tmuxlife.terminal.pane import Pane

LINES = 50_000
_LIMIT = 10.0
_EXACT = f"{label('native')}, exact=True"


def measure_run(n: int) -> Section:
    """One short command, with its output."""
    reference = "pexpect replwrap, bare pty"
    with contextlib.ExitStack() as stack:
        shell = bare_shell()
        stack.callback(shell.child.close, True)
        theirs = stack.enter_context(LibtmuxPane(shlex.join(SHELL)))

        def by_replwrap(number: int) -> float:
            start = time.perf_counter()
            output = shell.run_command(f"echo {number}")
            seconds = time.perf_counter() - start
            assert output == f"{number}\r\n", output
            return seconds

        def by_libtmux(number: int) -> float:
            start = time.perf_counter()
            theirs.pane.send_keys(f"echo out''put-{number}")
            theirs.wait_for_line(f"output-{number}")
            return time.perf_counter() - start

        works: dict[str, Callable[[int], float]] = {
            reference: by_replwrap,
            "libtmux, send_keys + capture_pane": by_libtmux,
        }
        for engine in ENGINES:
            works[label(engine)] = _our_run(stack.enter_context(Ours(engine)).pane())
        works[_EXACT] = _our_run(stack.enter_context(Ours("native")).pane(), exact=True)
        samples = in_turns(n, works, at_a_time=10)
    targets = {
        label("native"): Target(seconds=0.0008),
        label("process"): Target(seconds=0.0045),
        _EXACT: Target(seconds=0.0025),
    }
    return Section(
        'run("echo N")',
        rows_of(samples, reference, targets),
        [
            "ours and replwrap: the exact output, ours with the exit status too;",
            "libtmux: until the output is seen, no status;",
            "exact=True: the program's own bytes, by a pipe made for the command.",
        ],
    )


def _our_run(pane: Pane, *, exact: bool = False) -> Callable[[int], float]:
    def run(number: int) -> float:
        start = time.perf_counter()
        result = pane.run(f"echo {number}", exact=exact)
        seconds = time.perf_counter() - start
        assert (result.exit_code, result.output) == (0, f"{number}\n"), result
        return seconds

    return run


def measure_lines(n: int) -> Section:
    """Fifty thousand lines from a command, none of them lost."""
    reference = "pexpect replwrap, bare pty"
    count = LINES
    expected = [str(number) for number in range(1, count + 1)]
    with contextlib.ExitStack() as stack:
        shell = bare_shell()
        stack.callback(shell.child.close, True)
        theirs = stack.enter_context(LibtmuxPane(shlex.join(SHELL)))

        def by_replwrap(_: int) -> float:
            def work() -> None:
                output = shell.run_command(f"seq {count}", timeout=_LIMIT)
                assert output.split() == expected

            return timed(work)

        def by_libtmux(number: int) -> float:
            theirs.pane.cmd("clear-history")

            def work() -> None:
                theirs.pane.send_keys(f"seq {count}; echo en''d-{number}")
                theirs.wait_for_line(f"end-{number}")
                lines = theirs.pane.capture_pane(start="-") or []
                end = lines.index(f"end-{number}")
                assert lines[end - count : end] == expected

            return timed(work)

        works: dict[str, Callable[[int], float]] = {
            reference: by_replwrap,
            "libtmux, send_keys + capture_pane": by_libtmux,
        }
        for engine in ENGINES:
            pane = stack.enter_context(Ours(engine)).pane(history_limit=HISTORY)
            works[label(engine)] = _our_lines(pane, expected)
        samples = in_turns(n, works)
    return Section(
        f'{count:,} lines back: run("seq {count}")',
        rows_of(samples, reference, {label("native"): Target(seconds=0.040)}),
        [
            "ours with exit status and exact limits of the output. History limit",
            f"{HISTORY:,}: a full one is cut by a tenth at a time.",
        ],
    )


def _our_lines(pane: Pane, expected: list[str]) -> Callable[[int], float]:
    def run(_: int) -> float:
        def work() -> None:
            result = pane.run(f"seq {len(expected)}", timeout=_LIMIT)
            assert result.output.split("\n")[:-1] == expected, result.cut

        return timed(work)

    return run
