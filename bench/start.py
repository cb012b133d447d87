"""A fresh server with a ready prompt and a verified end, for each test."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measuring import Sample, in_turns
from bench.ours import ENGINES, Ours, label
from bench.peers import BareTmux, libtmux_server, libtmux_session
from bench.table import Section, Target, rows_of

BARE = "bare tmux, start to gone"
SIGNALLED = "bare tmux, ended by SIGTERM"
SERVER = "libtmux: server, new_session"
SESSION = "libtmux: session"
_TARGET = Target(ratio=1.25)
_AHEAD_TARGET = Target(ratio=0.6)

_TESTS = """
def test_{n}_nothing(): pass
def test_{n}_ours(tmux_pane): pass
def test_{n}_shared(tmux_shared_server): tmux_shared_server.new_session().kill()
def test_{n}_server(server): server.new_session()
def test_{n}_session(session): pass
"""
_CONFTEST = """
import json, time
import pytest

taken = {}

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        kind = item.name.rpartition("_")[2]
        taken.setdefault(kind, []).append(time.perf_counter() - start)

def pytest_sessionfinish(session):
    with open("taken.json", "w") as file:
        json.dump(taken, file)
"""


def measure(n: int) -> Section:
    """Each directly, in turns."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        bare = BareTmux(directory)
        works = {
            BARE: bare.by_client,
            SIGNALLED: bare.by_signal,
            SERVER: libtmux_server,
            SESSION: libtmux_session,
        }
        for engine in ENGINES:
            works[label(engine)] = stack.enter_context(Ours(engine)).cycle
            works[ahead(engine)] = stack.enter_context(Ours(engine)).cycle_ahead
        samples = in_turns(n, works)
    return Section(
        "Fresh server: ready prompt, verified end",
        rows_of(
            samples,
            BARE,
            {
                **{label(engine): _TARGET for engine in ENGINES},
                ahead("native"): _AHEAD_TARGET,
            },
        ),
        [
            "bare tmux: posix_spawn of new-session -d with a bash, then kill-server",
            "until the server's pidfd says that it is gone; no prompt awaited.",
            "libtmux: its own fixtures' functions; no prompt, the end not verified.",
            "started ahead: the server came up while the test before ran; that is not",
            "counted, to ask for it is.",
            _faster(samples),
        ],
    )


def ahead(engine: str) -> str:
    """How the row of an engine is called whose server was started before."""
    return f"{label(engine)}, started ahead"


def _faster(samples: dict[str, Sample]) -> str:
    peer = samples[SERVER].median
    fresh, spare = (samples[name].median for name in (label("native"), ahead("native")))
    return (
        f"native is {fresh / peer:.2f} times libtmux's server with new_session, and "
        f"{spare / peer:.2f} started ahead."
    )


def measure_fixtures(n: int) -> Section:
    """The same as fixtures, in a pytest run."""
    kinds = {
        "nothing": "a test that uses nothing",
        "ours": "pytest-tmuxlife, native: tmux_pane",
        "shared": "the same: a session on tmux_shared_server, and its end",
        "server": SERVER,
        "session": SESSION,
    }
    taken = _pytest_run(n)
    samples = {text: Sample(tuple(taken[kind][2:])) for kind, text in kinds.items()}
    return Section(
        "The same in a pytest run: whole test, all hooks",
        rows_of(
            samples,
            SERVER,
            {kinds["ours"]: Target(ratio=1.0), kinds["shared"]: Target(ratio=1.0)},
        ),
    )


def _pytest_run(n: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        tests = "".join(_TESTS.format(n=number) for number in range(n + 2))
        (directory / "test_cost.py").write_text(tests, encoding="utf-8")
        (directory / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
        (directory / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=directory,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTEST_ADDOPTS": ""},
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"the pytest run failed:\n{done.stdout}{done.stderr}")
        taken: dict[str, list[float]] = json.loads(
            (directory / "taken.json").read_text(encoding="utf-8")
        )
        return taken
