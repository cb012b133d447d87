"""From the moment before a program prints until the wait for it has returned."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from libtmux.test.retry import retry_until

from bench.measuring import in_turns
from bench.ours import ENGINES, Ours, label
from bench.peers import HecatePane, LibtmuxPane, bare_program
from bench.table import Section, Target, rows_of
from pytest_tmuxlife.terminal.pane import Pane

# Milliseconds before the print, of no fixed length: a poll could be in step.
LATER = (15, 45)
SOON = (1, 4)
_PRINTER = str(Path(__file__).with_name("printer.py"))
_LIMIT = 10.0


class Orders:
    """The FIFO by which a printer is told to print.

    Args:
        directory: For the FIFO.
        name: Of it.
        pause: Shortest and longest time before a print, in milliseconds.
    """

    def __init__(self, directory: str, name: str, pause: tuple[int, int]) -> None:
        self._pause = pause
        self.path = f"{directory}/{name}.fifo"
        os.mkfifo(self.path)
        # For both directions, so that no end of it ever waits for the other.
        self._fd = os.open(self.path, os.O_RDWR)
        self.argv = [sys.executable, "-I", "-S", _PRINTER, self.path]

    def order(self, number: int) -> re.Pattern[str]:
        """Have mark *number* printed in a while; the pattern to wait for."""
        os.write(self._fd, b"%d %d\n" % (number, random.randint(*self._pause)))
        return re.compile(rf"mark-{number}-(\d+)-end")

    def close(self) -> None:
        os.close(self._fd)


def _since(match: re.Match[str]) -> float:
    return (time.monotonic_ns() - int(match.group(1))) / 1e9


class Printers:
    """Each tool's own printer, and the wait for it. A context manager.

    Args:
        pause: As for `Orders`.
    """

    def __init__(self, pause: tuple[int, int]) -> None:
        self._pause = pause
        self._stack = contextlib.ExitStack()
        self._directory = ""

    def __enter__(self) -> Printers:
        self._directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _orders(self, name: str) -> Orders:
        orders = Orders(self._directory, name, self._pause)
        self._stack.callback(orders.close)
        return orders

    def pexpect(self) -> Callable[[int], float]:
        orders = self._orders("pexpect")
        child = bare_program(orders.argv)
        self._stack.callback(child.close, True)
        child.expect("printer ready")

        def wait(number: int) -> float:
            child.expect(orders.order(number), timeout=_LIMIT)
            match = child.match
            assert isinstance(match, re.Match)
            return _since(match)

        return wait

    def libtmux(self, name: str, interval: float) -> Callable[[int], float]:
        orders = self._orders(name)
        pane = self._stack.enter_context(LibtmuxPane(shlex.join(orders.argv)))
        pane.wait_for_line("printer ready")
        return _libtmux_wait(pane, orders, interval)

    def hecate(self) -> Callable[[int], float]:
        orders = self._orders("hecate")
        pane = self._stack.enter_context(HecatePane(orders.argv))
        pane.runner.await_text("printer ready")

        def wait(number: int) -> float:
            pattern = orders.order(number)
            # It looks for text, not for patterns.
            pane.runner.await_text(f"mark-{number}-")
            match = pattern.search(pane.runner.last_screenshot)
            assert match is not None, pane.runner.last_screenshot
            return _since(match)

        return wait

    def ours(self, engine: str) -> Callable[[int], float]:
        orders = self._orders(engine)
        pane = self._stack.enter_context(Ours(engine)).pane(orders.argv)
        pane.wait_for_text("printer ready")
        return _our_wait(pane, orders)


def measure(n: int, pause: tuple[int, int]) -> Section:
    """All tools in turns; *pause* as for `Orders`."""
    reference = "pexpect, bare pty"
    with Printers(pause) as printers:
        works = {
            reference: printers.pexpect(),
            "libtmux, capture_pane, retry_until": printers.libtmux("retry", 0.05),
            "libtmux, capture_pane, no pause": printers.libtmux("busy", 0.0),
        }
        if HecatePane.is_installed:
            works["hecate, await_text"] = printers.hecate()
        for engine in ENGINES:
            works[label(engine)] = printers.ours(engine)
        samples = in_turns(n, works)
    targets = {
        label("native"): Target(seconds=0.0006),
        label("process"): Target(seconds=0.0025),
    }
    shortest, longest = pause
    return Section(
        f"Text printed after {shortest} to {longest} ms to wait returns",
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
