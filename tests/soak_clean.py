"""Many clean tests in one run of two workers: no leak, and nothing grows.

After each chunk of tests every worker notes what it, its reaper and its
supervisors hold; compared with the first chunk nothing may have grown beyond
the bounds below. pytest keeps the items and reports of all its tests, so the
memory of a worker is compared with that of a run without the plugin. Run by
``python tests/soak.py --clean 10000``.
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
# What a test may cost beyond what pytest keeps of it.
PER_TEST_KB = 1.0

_TESTS = """
import pytest


@pytest.mark.parametrize("number", range({count}))
def test_clean(tmux_pane, number):
    assert tmux_pane.run(f"echo {{number}}").output == f"{{number}}\\n"
"""
# As many fixtures: pytest keeps more for each test that has some.
_PLAIN_TESTS = """
import pytest


@pytest.fixture
def tmux_options(tmp_path):
    return {{}}


@pytest.fixture
def server(tmux_options):
    yield


@pytest.fixture
def session(server):
    yield


@pytest.fixture
def pane(session):
    yield


@pytest.mark.parametrize("number", range({count}))
def test_clean(pane, number):
    assert True
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

CHUNK = {chunk}
done = 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{{pid}}/fd"))


def memory(pid):
    with open(f"/proc/{{pid}}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def sample(config):
    gc.collect()
    if not config.pluginmanager.has_plugin("tmuxlife"):
        return {{"worker PSS kB": memory(os.getpid())}}
    from pytest_tmuxlife.containment import procfs
    from pytest_tmuxlife.hooks.stash import HARNESS_KEY

    reaper = config.stash[HARNESS_KEY].reaper
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
        record = sample(item.config)
        name = os.environ["PYTEST_XDIST_WORKER"]
        with open(f"{{name}}.samples", "a") as file:
            file.write(json.dumps({{"tests": done, **record}}) + "\\n")
    return result
"""


def clean_case(count: int, chunk: int, say: Callable[[str], None]) -> str:
    """Run *count* tests; the error, or nothing if there is none."""
    try:
        plain = _run(_PLAIN_TESTS.format(count=count), chunk, "-p", "no:tmuxlife")
        checked = _run(_TESTS.format(count=count), chunk, "--tmux-leak-check")
    except AssertionError as error:
        return str(error)
    kept = max(map(_kept_per_test, plain.values()))
    say(f"without the plugin a worker grows by {kept:.2f} kB a test")
    problems = []
    for worker, samples in checked.items():
        say(f"\n{worker}, a sample after each {chunk} tests of it:")
        for line in _table(samples, kept):
            say(line)
        problems += [f"{worker}: {line}" for line in _grown(samples, kept)]
    return "\n".join(problems)


def _run(tests: str, chunk: int, *options: str) -> dict[str, list[dict[str, int]]]:
    """The samples of each worker.

    Raises:
        AssertionError: A test failed, or there were too few for a chunk.
    """
    with tempfile.TemporaryDirectory(prefix="soak-clean-") as name:
        where = Path(name)
        (where / "test_inner.py").write_text(tests)
        (where / "conftest.py").write_text(_CONFTEST.format(chunk=chunk))
        (where / "pytest.ini").write_text(_INI)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            # pytest removes what other runs on the machine have in its own directory.
            [*command, f"-n{WORKERS}", f"--basetemp={name}/tmp", *options],
            cwd=where,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        found = {
            file.stem: [json.loads(line) for line in file.read_text().splitlines()]
            for file in sorted(where.glob("*.samples"))
        }
    assert len(found) == WORKERS, (
        "a worker came to the end of no chunk: take more tests"
    )
    assert all(len(samples) > 1 for samples in found.values()), "one chunk only"
    return found


def _kept_per_test(samples: list[dict[str, int]]) -> float:
    first, last = samples[0], samples[-1]
    grown = last["worker PSS kB"] - first["worker PSS kB"]
    return grown / (last["tests"] - first["tests"])


def _bound(name: str, samples: list[dict[str, int]], kept: float) -> int:
    if name != "worker PSS kB":
        return BOUNDS[name]
    since = samples[-1]["tests"] - samples[0]["tests"]
    return BOUNDS[name] + round((kept + PER_TEST_KB) * since)


def _table(samples: list[dict[str, int]], kept: float) -> Iterator[str]:
    width = max(map(len, BOUNDS))
    yield f"{'after tests':<{width}}" + "".join(f"{s['tests']:>8}" for s in samples)
    for name in BOUNDS:
        figures = "".join(f"{sample[name]:>8}" for sample in samples)
        yield f"{name:<{width}}{figures}   at most +{_bound(name, samples, kept)}"


def _grown(samples: list[dict[str, int]], kept: float) -> Iterator[str]:
    for name in BOUNDS:
        first, last = samples[0][name], samples[-1][name]
        if last > first + _bound(name, samples, kept):
            yield f"{name} grew from {first} to {last} in {samples[-1]['tests']} tests"
