"""How late a wait is, and what it costs the process that waits."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import select
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.measuring import Sample
from bench.ours import Ours
from bench.table import Row, Section, milliseconds
from pytest_tmuxlife.errors import WaitTimeout
from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.server import Server

_PRINTER = str(Path(__file__).with_name("late_printer.py"))
_LIMIT = 120.0
_LATEST = 0.025
_SHARE = 0.05
_KINDS = {
    "a line": "plain",
    "a line through /dev/tty": "tty",
    "a line behind a burst of 200": "burst",
    "a line behind 50 MB": "much",
}


class Printer:
    """A program in a pane that prints on order, and when it did.

    A context manager.

    Args:
        server: Where its pane is made.
        directory: For the FIFOs.
    """

    def __init__(self, server: Server, directory: str) -> None:
        paths = [f"{directory}/orders", f"{directory}/reports"]
        for path in paths:
            os.mkfifo(path)
        # For both directions, so that no end of it ever waits for the other.
        self._orders, self._reports = (os.open(path, os.O_RDWR) for path in paths)
        argv = [sys.executable, "-I", "-S", _PRINTER, *paths]
        self.pane: Pane = server.new_pane(argv)
        self.pane.wait_for_text("printer ready")
        self._number = 0

    def __enter__(self) -> Printer:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._orders)
        os.close(self._reports)

    def late(self, kind: str) -> float:
        """Seconds from the write of a mark until the wait for it has returned."""
        self._number += 1
        # Of no fixed length, or a poll could be in step with it.
        pause = random.randint(5, 45)
        os.write(self._orders, b"%s %d %d\n" % (kind.encode(), self._number, pause))
        self.pane.wait_for_text(f"mark-{self._number}-end", timeout=_LIMIT)
        returned = time.monotonic_ns()
        if not select.select([self._reports], [], [], _LIMIT)[0]:
            raise TimeoutError(f"no report of mark {self._number}")
        # It may be noted only after the wait has returned.
        return max(0, returned - int(os.read(self._reports, 64))) / 1e9


def measure(n: int) -> Section:
    """From the moment after the write until the wait has returned."""
    samples: dict[str, Sample] = {}
    with Ours("native") as ours, tempfile.TemporaryDirectory() as directory:
        server = ours.server()
        with Printer(server, directory) as printer:
            for what, kind in _KINDS.items():
                count = max(3, n // 20) if kind == "much" else n
                found = [printer.late(kind) for _ in range(count)]
                samples[what] = Sample(tuple(found))
        cat = server.new_pane("echo ready; exec cat > /dev/null")
        cat.wait_for_text("ready")
        echo = [_echo_late(server, cat, number) for number in range(n)]
        samples["an echo of the kernel"] = Sample(tuple(echo))
    rows = [_late_row(what, sample) for what, sample in samples.items()]
    longest = (f"{what} {milliseconds(max(s.seconds))}" for what, s in samples.items())
    return Section(
        "From the write to the return of wait_for_text",
        rows,
        [
            "From the moment after the program's last write; the echo: from before the",
            "key is sent by another thread. Held to the target is the longest:",
            *longest,
        ],
    )


def _late_row(what: str, sample: Sample) -> Row:
    return Row(
        what,
        milliseconds(sample.median),
        milliseconds(sample.p99),
        str(sample.n),
        target=f"<= {milliseconds(_LATEST)}",
        met="yes" if max(sample.seconds) <= _LATEST else "NO",
    )


def _echo_late(server: Server, pane: Pane, number: int) -> float:
    """A cat has the terminal, and somebody else types: the kernel alone draws."""
    typed: list[int] = []

    def type_it() -> None:
        select.select([], [], [], random.randint(5, 45) / 1000)
        typed.append(time.monotonic_ns())
        server.cmd("send-keys", "-t", pane.id, "-l", f"\nkey-{number}-end")

    typist = threading.Thread(target=type_it)
    typist.start()
    pane.wait_for_text(f"key-{number}-end", scope="line", timeout=_LIMIT)
    returned = time.monotonic_ns()
    typist.join()
    return (returned - typed[0]) / 1e9


def measure_share(seconds: float) -> Section:
    """CPU time of this process while it waits, as a part of one core."""
    with (
        Ours("native") as ours,
        tempfile.TemporaryDirectory() as directory,
        Printer(ours.server(), directory) as printer,
    ):
        rows = [
            _share_row("nothing is printed", lambda: _silent(printer, seconds)),
            _share_row("100 lines a second", lambda: printer.late("lines")),
            _share_row("50 MB are printed, 5 times", lambda: printer.late("much"), 5),
        ]
    return Section(
        "CPU of pytest's process while it waits, of one core",
        rows,
        ["user and system time by getrusage(2), the time that the wait took beside it"],
    )


def _silent(printer: Printer, seconds: float) -> None:
    with contextlib.suppress(WaitTimeout):
        printer.pane.wait_for_text("never printed", timeout=seconds)


def _share_row(what: str, wait: Callable[[], object], times: int = 1) -> Row:
    cpu, start = _cpu(), time.monotonic()
    for _ in range(times):
        wait()
    elapsed = time.monotonic() - start
    share = (_cpu() - cpu) / elapsed
    return Row(
        f"{what} ({elapsed:.1f} s)",
        f"{share:.2%}",
        target=f"<= {_SHARE:.0%}",
        met="yes" if share <= _SHARE else "NO",
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
