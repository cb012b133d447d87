"""Many clean tests in one run of two workers: no leak, and nothing grows.

After each chunk of tests every worker notes what it, its reaper and its
supervisors hold; compared with the first chunk nothing may have grown beyond
the bounds below. Run by ``python tests/soak.py --clean 10000``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

WORKERS = 2
# What may be there more at the end than after the first chunk.
BOUNDS = {
    "worker descriptors": 1,
    "worker PSS kB": 1024,
    "reaper descriptors": 1,
    "reaper PSS kB": 512,
    "supervisors": 1,
    "supervisor descriptors": 1,
    "supervisor PSS kB": 512,
    "processes below the reaper": 2,
    "sockets of the run": 1,
    "files of the run": 4,
}
# pytest itself keeps 4 kB for each test: its item, and the reports.
PER_TEST = {"worker PSS kB": 6}

_TESTS = """
import pytest


@pytest.mark.parametrize("number", range({count}))
def test_clean(tmux_pane, number):
    assert tmux_pane.run(f"echo {{number}}").output == f"{{number}}\\n"
"""
_INI = """
[pytest]
tmp_path_retention_policy = none
"""
_CONFTEST = """
import gc
import json
import os

import pytest

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.fixtures import HARNESS_KEY

CHUNK = {chunk}
done = 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{{pid}}/fd"))


def memory(pid):
    with open(f"/proc/{{pid}}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def sample(harness):
    gc.collect()
    reaper = harness.reaper
    supervisors = procfs.children(reaper.pid)
    with open("/proc/net/unix") as file:
        sockets = sum(reaper.run_directory in line for line in file)
    return {{
        "worker descriptors": descriptors(os.getpid()),
        "worker PSS kB": memory(os.getpid()),
        "reaper descriptors": descriptors(reaper.pid),
        "reaper PSS kB": memory(reaper.pid),
        "supervisors": len(supervisors),
        "supervisor descriptors": max(map(descriptors, supervisors)),
        "supervisor PSS kB": max(map(memory, supervisors)),
        "processes below the reaper": len(list(procfs.descendants(reaper.pid))),
        "sockets of the run": sockets,
        "files of the run": sum(
            len(low) + len(files) for _, low, files in os.walk(reaper.run_directory)
        ),
    }}


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_protocol(item):
    global done
    result = yield
    done += 1
    if done % CHUNK == 0:
        record = sample(item.config.stash[HARNESS_KEY])
        name = os.environ["PYTEST_XDIST_WORKER"]
        with open(f"{{name}}.samples", "a") as file:
            file.write(json.dumps({{"tests": done, **record}}) + "\\n")
    return result
"""


def clean_case(count: int, chunk: int, say: Callable[[str], None]) -> str:
    """Run *count* tests; the error, or nothing if there is none."""
    with tempfile.TemporaryDirectory(prefix="soak-clean-") as name:
        where = Path(name)
        (where / "test_inner.py").write_text(_TESTS.format(count=count))
        (where / "conftest.py").write_text(_CONFTEST.format(chunk=chunk))
        (where / "pytest.ini").write_text(_INI)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            # pytest removes what other runs on the machine have in its own directory.
            [*command, f"-n{WORKERS}", f"--basetemp={name}/tmp", "--tmux-leak-check"],
            cwd=where,
            capture_output=True,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines()[-1:]:
            say(line)
        if done.returncode != 0:
            return done.stdout[-8000:] + done.stderr[-2000:]
        problems = []
        for file in sorted(where.glob("*.samples")):
            samples = [json.loads(line) for line in file.read_text().splitlines()]
            say(f"\n{file.stem}, a sample after each {chunk} tests of it:")
            for line in _table(samples):
                say(line)
            problems += [f"{file.stem}: {line}" for line in _grown(samples)]
        if not list(where.glob("*.samples")):
            return "no worker came to the end of a chunk: use a smaller one"
        return "\n".join(problems)


def _bound(name: str, samples: list[dict[str, int]]) -> int:
    since = samples[-1]["tests"] - samples[0]["tests"]
    return BOUNDS[name] + PER_TEST.get(name, 0) * since


def _table(samples: list[dict[str, int]]) -> Iterator[str]:
    width = max(map(len, BOUNDS))
    yield f"{'after tests':<{width}}" + "".join(f"{s['tests']:>8}" for s in samples)
    for name in BOUNDS:
        figures = "".join(f"{sample[name]:>8}" for sample in samples)
        yield f"{name:<{width}}{figures}   at most +{_bound(name, samples)}"


def _grown(samples: list[dict[str, int]]) -> Iterator[str]:
    if len(samples) == 1:
        yield "one chunk only: nothing to compare"
    for name in BOUNDS:
        first, last = samples[0][name], samples[-1][name]
        if last > first + _bound(name, samples):
            yield f"{name} grew from {first} to {last} in {samples[-1]['tests']} tests"
