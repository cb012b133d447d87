"""Tests that use nothing of ours, in a run under --tmux-leak-check."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.crowd import Crowd
from bench.table import Row, Section, milliseconds

_LIMIT = 0.000_150
_MEMORY_LIMIT = 10 << 20
_ROUNDS = 11
# The first ones find cold caches.
_WARM_UP = 50
_TESTS = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_nothing(number):
    pass
"""
# Notes when each test began, and waits at the end until it has been looked at.
_CONFTEST = """
import json
import os
import sys
import time

began = []

def pytest_runtest_logstart():
    began.append(time.perf_counter())

def pytest_unconfigure():
    os.write(3, json.dumps(began).encode() + b"\\n")
    os.read(4, 1)
"""
_WITHOUT = ("-p", "no:tmuxlife")
_WITH = ("--tmux-leak-check",)
# What a run pays for those is not asked.
_OTHERS = ("asyncio", "libtmux", "pytest_cov", "randomly", "rerunfailures", "timeout")


@dataclass(frozen=True, slots=True)
class _Run:
    """One pytest run.

    Attributes:
        seconds: Of each test.
        memory: Bytes of pytest itself, shared pages by their share.
        helpers: Bytes of all other processes of the run.
    """

    seconds: list[float]
    memory: int
    helpers: int

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def _run(where: Path, options: Sequence[str]) -> _Run:
    notes, told = os.pipe()
    may_end, end = os.pipe()
    plugins = [word for name in (*_OTHERS, "xdist", "xprocess") for word in _no(name)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    script = f'exec 3>&{told} 4<&{may_end}; exec "$@"'
    with subprocess.Popen(
        ["bash", "-c", script, "bash", *command, *plugins, *options],
        cwd=where,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(told, may_end),
    ) as process:
        os.close(told)
        os.close(may_end)
        with os.fdopen(notes) as file:
            began = json.loads(file.readline())
        memory, helpers = _memory(process.pid)
        os.write(end, b".")
        os.close(end)
    if process.returncode != 0:
        raise RuntimeError(f"pytest {' '.join(options)} ended {process.returncode}")
    pairs = zip(began[_WARM_UP:], began[_WARM_UP + 1 :], strict=False)
    return _Run([after - before for before, after in pairs], memory, helpers)


def _no(plugin: str) -> tuple[str, str]:
    return "-p", f"no:{plugin}"


def _memory(pid: int) -> tuple[int, int]:
    """Of pytest itself, and of all others that descend from *pid*."""
    top = psutil.Process(pid)
    found = [top, *top.children(recursive=True)]
    sizes = [int(process.memory_full_info().pss) for process in found]
    # The one that holds the tests.
    return max(sizes), sum(sizes) - max(sizes)


@contextlib.contextmanager
def _tests(count: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-whole-") as name:
        where = Path(name)
        (where / "test_nothing.py").write_text(_TESTS.format(count=count))
        (where / "conftest.py").write_text(_CONFTEST)
        (where / "pytest.ini").write_text("[pytest]\n")
        yield where


def measure(count: int, crowds: Sequence[int]) -> Section:
    """What each of *count* tests pays, beside so many unrelated processes."""
    rows: list[Row] = []
    notes = [
        f"begin of a test to begin of the next, all hooks; n runs of {count} tests, in",
        "turns: medians of their medians, and of the differences of two neighbours.",
    ]
    for number in crowds:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(Crowd(number))
            except OSError as error:
                notes.append(f"{number} others: not possible here: {error}")
                continue
            where = stack.enter_context(_tests(count))
            pairs = [
                (_run(where, _WITHOUT).median, _run(where, _WITH).median)
                for _ in range(_ROUNDS)
            ]
            rows += _rows(pairs, number)
    return Section("A test that uses nothing, under the check", rows, notes)


def _rows(pairs: Sequence[tuple[float, float]], crowd: int) -> Iterator[Row]:
    """Both, and the difference of two that ran one after the other."""
    without, checked = (
        statistics.median(column) for column in zip(*pairs, strict=True)
    )
    added = statistics.median(after - before for before, after in pairs)
    for what, median in (
        ("without the plugin", without),
        ("--tmux-leak-check", checked),
    ):
        ratio = f"{median / without:.2f}"
        shown = milliseconds(median)
        yield Row(f"{what}, {crowd} others", shown, "", str(len(pairs)), ratio)
    yield Row(
        f"  so the check adds, {crowd} others",
        milliseconds(added),
        target=f"<= {milliseconds(_LIMIT)}",
        met="yes" if added <= _LIMIT else "NO",
    )


def measure_memory(count: int) -> Section:
    """What a run of *count* tests holds at its end."""
    with _tests(count) as where:
        without = _run(where, _WITHOUT)
        checked = _run(where, _WITH)
    added = checked.memory - without.memory
    rows = [
        Row("pytest, without the plugin", _megabytes(without.memory)),
        Row("pytest, --tmux-leak-check", _megabytes(checked.memory)),
        Row(
            "  so the check adds",
            _megabytes(added),
            target=f"<= {_megabytes(_MEMORY_LIMIT)}",
            met="yes" if added <= _MEMORY_LIMIT else "NO",
        ),
        Row("reaper, run supervisor, outer process", _megabytes(checked.helpers)),
    ]
    notes = [
        "PSS: shared pages by their share. The helpers' part does not depend on the",
        "number of tests; most of it is pytest as it was before the run, which they",
        "share among each other.",
    ]
    return Section(f"Memory after {count} such tests", rows, notes)


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"
