"""Talking to a pane: from print to return, a command, 50,000 lines."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from libtmux.test.retry import retry_until

from bench.measuring import in_turns, timed
from bench.ours import ENGINES, HISTORY, Ours, label
from bench.peers import SHELL, LibtmuxPane, bare_program, bare_shell
from bench.table import Section, Target, rows_of
from pytest_tmuxlife.terminal.pane import Pane

LINES = 50_000
_PRINTER = str(Path(__file__).with_name("printer.py"))
_LIMIT = 10.0


class Orders:
    """The FIFO by which a printer is told to print."""

    def __init__(self, directory: str, name: str) -> None:
        self.path = f"{directory}/{name}.fifo"
        os.mkfifo(self.path)
        # For both directions, so that no end of it ever waits for the other.
        self._fd = os.open(self.path, os.O_RDWR)
        self.argv = [sys.executable, "-I", "-S", _PRINTER, self.path]

    def order(self, number: int) -> re.Pattern[str]:
        """Have mark *number* printed in a while; the pattern to wait for."""
        # Of no fixed length, or a poll could be in step with it.
        pause = random.randint(15, 45)
        os.write(self._fd, b"%d %d\n" % (number, pause))
        return re.compile(rf"mark-{number}-(\d+)-end")

    def close(self) -> None:
        os.close(self._fd)


def _since(match: re.Match[str]) -> float:
    return (time.monotonic_ns() - int(match.group(1))) / 1e9


@contextlib.contextmanager
def _printer(directory: str, name: str) -> Iterator[Orders]:
    orders = Orders(directory, name)
    try:
        yield orders
    finally:
        orders.close()


def measure_wait(n: int) -> Section:
    """From the moment before the print until the wait has returned."""
    reference = "pexpect, bare pty"
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        works: dict[str, Callable[[int], float]] = {}

        orders = stack.enter_context(_printer(directory, "pexpect"))
        child = bare_program(orders.argv)
        stack.callback(child.close, True)
        child.expect("printer ready")

        def by_pexpect(number: int, orders: Orders = orders) -> float:
            child.expect(orders.order(number), timeout=_LIMIT)
            match = child.match
            assert isinstance(match, re.Match)
            return _since(match)

        works[reference] = by_pexpect
        for name, interval in (("retry_until", 0.05), ("no pause", 0.0)):
            orders = stack.enter_context(_printer(directory, name))
            pane = stack.enter_context(LibtmuxPane(shlex.join(orders.argv)))
            pane.wait_for_line("printer ready")
            works[f"libtmux, capture_pane, {name}"] = _libtmux_wait(
                pane, orders, interval
            )
        for engine in ENGINES:
            orders = stack.enter_context(_printer(directory, engine))
            ours = stack.enter_context(Ours(engine)).pane(orders.argv)
            ours.wait_for_text("printer ready")
            works[label(engine)] = _our_wait(ours, orders)
        samples = in_turns(n, works)
    targets = {
        label("native"): Target(seconds=0.0006),
        label("process"): Target(seconds=0.0025),
    }
    return Section(
        "Text printed to wait returns",
        rows_of(samples, reference, targets),
        ["The program notes the time right before it prints; ours: wait_for_text."],
    )


def _our_wait(pane: Pane, orders: Orders) -> Callable[[int], float]:
    def wait(number: int) -> float:
        return _since(pane.wait_for_text(orders.order(number), timeout=_LIMIT))

    return wait


def _libtmux_wait(
    pane: LibtmuxPane, orders: Orders, interval: float
) -> Callable[[int], float]:
    def wait(number: int) -> float:
        pattern = orders.order(number)
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = pattern.search("\n".join(pane.capture()))
            if match is not None:
                found.append(match)
            return match is not None

        retry_until(look, _LIMIT, interval=interval)
        return _since(found[0])

    return wait


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
        samples = in_turns(n, works, at_a_time=10)
    targets = {
        label("native"): Target(seconds=0.0008),
        label("process"): Target(seconds=0.0045),
    }
    return Section(
        'run("echo N")',
        rows_of(samples, reference, targets),
        [
            "ours and replwrap: the exact output, ours with the exit status too;",
            "libtmux: until the output is seen, no status.",
        ],
    )


def _our_run(pane: Pane) -> Callable[[int], float]:
    def run(number: int) -> float:
        start = time.perf_counter()
        result = pane.run(f"echo {number}")
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
