"""Runs the rows of the pytest process, each as a test of one inner run."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from inner import Inner
from processes import PROGRAMS

from kinds.model import Holding, Left, Passing

_IMPORTS = """\
import asyncio, atexit, logging, mmap, multiprocessing, os, select, selectors, socket
import sqlite3, subprocess, sys, tempfile, threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory
from subprocess import PIPE
import pytest
from leaving import *
"""
_CHECK = ("--tmux-leak-check", "--tmux-leak-report=leaks.json")


@dataclass(frozen=True)
class HoldingRun:
    """A run that has ended.

    Attributes:
        result: As pytester has it.
        accused: By the name of the row, what its test has left.
    """

    result: pytest.RunResult
    accused: dict[str, list[Left]]


def run_tests(inner: Inner, tests: dict[str, str], *arguments: str) -> HoldingRun:
    """Run *tests*, sources by the name of their row, under the leak check."""
    shutil.copy(PROGRAMS / "leaving.py", inner.pytester.path)
    source = _IMPORTS + "\n".join(tests.values())
    result = inner.run(source, *_CHECK, *arguments)
    report = json.loads((inner.pytester.path / "leaks.json").read_text())
    names = {function_of(name): name for name in tests}
    accused: dict[str, list[Left]] = {}
    for finding in report["findings"]:
        owner = finding["owner"].rpartition("::")[2]
        name = names.get(owner, finding["owner"])
        place = (
            f"test_inner.py:{finding['line'] + 1 if finding['line'] else 0} {owner}()"
        )
        accused.setdefault(name, []).extend(
            _left(leak, place) for leak in finding["leaks"]
        )
    return HoldingRun(result, accused)


def function_of(name: str) -> str:
    """The test of a row."""
    return "test_" + re.sub(r"\W", "_", name)


def leaking(row: Holding) -> str:
    """A test that forgets what it has opened, in the line behind its name."""
    lines = [row.opens]
    if row.outlives_pytest:
        lines.append(f"atexit.register(lambda: {row.closes})")
    return _test(row.name, "tmp_path", lines)


def closing(row: Holding) -> str:
    """The same test, as it should be."""
    return _test(row.name, "tmp_path", [row.opens, row.closes])


def passing(row: Passing) -> str:
    """The test of a row that leaves nothing, with what stands before it."""
    test = _test(row.name, row.fixtures, textwrap.dedent(row.body).splitlines())
    return f"{textwrap.dedent(row.before)}\n{test}"


def _test(name: str, fixtures: str, lines: Sequence[str]) -> str:
    body = textwrap.indent("\n".join(lines), "    ")
    return f"def {function_of(name)}({fixtures}):\n{body}\n"


def _left(leak: dict[str, str], place: str) -> Left:
    opened_at = leak["opened_at"]
    # Another place than that of the row's line would be as wrong as none.
    return Left(
        _with_numbers_hidden(leak["name"]),
        _with_numbers_hidden(leak["why"]),
        tuple(leak["seen_by"]),
        has_place=opened_at == place,
    )


def _with_numbers_hidden(text: str) -> str:
    text = re.sub(r"/\S*/test_[a-z_]*0\b", "$TMP", text, flags=re.IGNORECASE)
    return re.sub(r"(?<![\w/])\d+|(?<=IPv)\d|(?<=tests-)\d+", "N", text)
