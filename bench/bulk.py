"""Much at once: a megabyte into a program, fifty panes on one server."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import shlex
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect

from bench.measuring import in_turns, timed
from bench.ours import ENGINES, Ours, label
from bench.peers import SHELL, HecatePane, LibtmuxPane, bare_program
from bench.table import Section, Target, rows_of
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.pane import Pane

PANES = 50
_LIMIT = 30.0
# 10,000 lines of a hundred bytes, no two of them alike.
MEGABYTE = "".join(f"{number:08d} {'x' * 90}\n" for number in range(10_000))


class Writers:
    """Programs that write what they read to files. A context manager."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._directory = ""
        self._numbers = itertools.count()

    def __enter__(self) -> Writers:
        self._directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _cat(self) -> tuple[Path, list[str]]:
        """A new file, and the program that writes to it."""
        path = Path(self._directory, str(next(self._numbers)))
        path.touch()
        return path, ["sh", "-c", 'exec cat >"$0"', str(path)]

    def pexpect(self) -> Callable[[int], float]:
        path, argv = self._cat()
        child = bare_program(argv)
        self._stack.callback(child.close, True)
        return _sending(path, lambda: _type(child, MEGABYTE.encode(), path))

    def hecate(self) -> Callable[[int], float]:
        path, argv = self._cat()
        pane = self._stack.enter_context(HecatePane(argv))
        return _sending(path, lambda: pane.runner.write(MEGABYTE))

    def ours(self, engine: str, *, pasting: bool) -> Callable[[int], float]:
        path, argv = self._cat()
        pane = self._stack.enter_context(Ours(engine)).pane(argv)
        send = pane.paste if pasting else pane.send_text
        return _sending(path, lambda: send(MEGABYTE))


def _sending(path: Path, send: Callable[[], None]) -> Callable[[int], float]:
    """Send a megabyte, until the file at *path* has it."""

    def work(_: int) -> float:
        before = path.stat().st_size

        def until_there() -> None:
            send()
            deadline = Deadline(_LIMIT)
            while path.stat().st_size < before + len(MEGABYTE):
                if deadline.expired:
                    raise TimeoutError(f"{path.stat().st_size - before} bytes came")
                select.select([], [], [], 0.0005)

        seconds = timed(until_there)
        assert path.read_text(encoding="utf-8")[before:] == MEGABYTE
        return seconds

    return work


def _type(child: pexpect.spawn[str], data: bytes, path: Path) -> None:
    """Write to a pty as fast as it takes it, and read the echo as it comes."""
    fd = child.child_fd
    left = memoryview(data)
    size = path.stat().st_size + len(data)
    os.set_blocking(fd, False)
    poller = select.poll()
    while left or path.stat().st_size < size:
        poller.register(fd, select.POLLIN | (select.POLLOUT if left else 0))
        for _, event in poller.poll(1):
            if event & select.POLLIN:
                os.read(fd, 65536)
            if event & select.POLLOUT:
                left = left[os.write(fd, left[:4096]) :]


def _libtmux_outcome() -> str:
    """What becomes of the text in libtmux's send_keys."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "sent")
        line = shlex.join(["sh", "-c", 'exec cat >"$0"', str(path)])
        with LibtmuxPane(line) as pane:
            try:
                pane.pane.send_keys(MEGABYTE, enter=False, literal=True)
            except Exception as error:
                return f"fails: {error}"
            return f"returns without an error, {path.stat().st_size} bytes arrived"


def measure_megabyte(n: int) -> Section:
    """A megabyte typed into ``cat > file``, until the file has it, intact."""
    reference = "bare pty, written and read by hand"
    with Writers() as writers:
        works = {reference: writers.pexpect()}
        if HecatePane.is_installed:
            works["hecate, write"] = writers.hecate()
        for engine in ENGINES:
            works[f"{label(engine)}: paste"] = writers.ours(engine, pasting=True)
            works[f"{label(engine)}: send_text"] = writers.ours(engine, pasting=False)
        samples = in_turns(n, works)
    limit = Target(seconds=0.210)
    return Section(
        "1 MB into cat > file, intact",
        rows_of(samples, reference, {f"{label('native')}: paste": limit}),
        [
            "10,000 lines; the content of the file is compared each time.",
            f"libtmux's send_keys of it {_libtmux_outcome()}.",
        ],
    )


class LibtmuxPanes:
    """Shells on one libtmux server. A context manager.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._first = LibtmuxPane(shlex.join(SHELL))
        self._panes = [self._first, *(self._first.beside() for _ in range(count - 1))]

    def __enter__(self) -> LibtmuxPanes:
        return self

    def __exit__(self, *error: object) -> None:
        self._first.__exit__(*error)

    def run_in_each(self, number: int) -> None:
        """A short command in each, until its output is seen."""
        for pane in self._panes:
            pane.pane.send_keys(f"echo out''put-{number}")
            pane.wait_for_line(f"output-{number}")


def measure_panes(n: int) -> Section:
    """A command in each of fifty panes of one server: the time for each."""
    reference = "pytest-tmuxlife, 1 pane"
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(Ours("native"))
        server = ours.server()
        panes = [server.new_pane() for _ in range(PANES)]
        theirs = stack.enter_context(LibtmuxPanes(PANES))
        pool = stack.enter_context(ThreadPoolExecutor(PANES))
        works: dict[str, Callable[[int], float]] = {
            reference: lambda number: timed(lambda: _run(panes[0], number)),
            f"{PANES} panes, one after another": lambda number: (
                timed(lambda: [_run(pane, number) for pane in panes]) / PANES
            ),
            f"{PANES} panes, a thread for each": lambda number: (
                timed(lambda: list(pool.map(_run, panes, [number] * PANES))) / PANES
            ),
        }
        works[f"libtmux, {PANES} panes, one after another"] = lambda number: (
            timed(lambda: theirs.run_in_each(number)) / PANES
        )
        samples = in_turns(n, works)
    return Section(
        f'run("echo N") with {PANES} panes on one server: time for a command',
        rows_of(samples, reference, {}),
        [
            "libtmux: send_keys and capture_pane until the output is seen, no status.",
            *(
                f"{what}: {1 / sample.median:,.0f} commands a second."
                for what, sample in samples.items()
            ),
        ],
    )


def _run(pane: Pane, number: int) -> None:
    result = pane.run(f"echo {number}", timeout=_LIMIT)
    assert (result.exit_code, result.output) == (0, f"{number}\n"), result
