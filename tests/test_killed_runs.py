"""pytest, or a helper of ours, is killed: nothing of the run is left."""

from __future__ import annotations

import logging
import random
import signal
from pathlib import Path

import pytest
from busy_run import BUSY, BUSY_LEAKS, BUSY_OPTIONS, BUSY_TESTS
from runs import PytestProcess, eventually, kill, kill_at_once

from pytest_tmuxlife.containment import procfs

READY_LIMIT = 60.0
TWO_SERVERS = """
import os, signal

def test_it(stubborn, ready):
    servers = [stubborn(), stubborn()]
    ready()
    {then}
"""
POOL = """
import multiprocessing, signal, time

def test_it(stubborn, ready):
    server = stubborn()
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(abs, [1, -2]) == [1, 2]
        ready()
        signal.pause()
"""
FORKED = """
import os, signal

def test_it(stubborn, ready):
    server = stubborn()
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    ready(str(pid))
    signal.pause()
"""
IN_WORKERS = """
import signal
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(2))
def test_it(stubborn, number):
    server = stubborn()
    Path(f"ready-{{number}}").touch()
    while True:
        try:
            signal.pause()
        except KeyboardInterrupt:
            {then}
"""
FOLLOWED = """
import signal

def test_it(stubborn, ready):
    server = stubborn()
    other = stubborn()
    ready()
    server.cmd("wait-for", "never", timeout=2)

def test_next(tmux_pane, tmp_path):
    print("NEXT RAN")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT])
def test_nothing_is_left_when_a_signal_ends_pytest(tmp_path: Path, number: int) -> None:
    """Two servers, with programs that ignore HUP and TERM, go with pytest."""
    with PytestProcess(tmp_path, TWO_SERVERS.format(then="signal.pause()")) as run:
        run.wait_ready()
        assert run.note_processes() > 8
        run.signal(number)
        assert run.wait() == -number
        run.assert_nothing_left()


def test_nothing_is_left_when_all_of_a_run_is_terminated(tmp_path: Path) -> None:
    """As when a job is cancelled: helpers do not follow TERM, HUP or INT."""
    with PytestProcess(tmp_path, TWO_SERVERS.format(then="signal.pause()")) as run:
        run.wait_ready()
        run.note_processes()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            for helper in (run.reaper, *run.supervisors):
                assert kill(helper, number)
        run.signal(signal.SIGTERM)
        run.wait()
        run.assert_nothing_left()


def test_nothing_is_left_when_tested_code_exits_pytest(tmp_path: Path) -> None:
    """os._exit runs no finalizer."""
    with PytestProcess(tmp_path, TWO_SERVERS.format(then="os._exit(9)")) as run:
        run.wait_ready()
        assert run.wait() == 9
        run.assert_nothing_left()


def test_nothing_is_left_beside_a_pool_of_the_test(tmp_path: Path) -> None:
    """Pool workers are forks of pytest that hold what it had open."""
    with PytestProcess(tmp_path, POOL) as run:
        run.wait_ready()
        run.signal(signal.SIGKILL)
        run.wait()
        run.assert_nothing_left()


def test_a_living_fork_of_the_test_delays_nothing(tmp_path: Path) -> None:
    """It is not ours to end, and holds nothing of ours open."""
    with PytestProcess(tmp_path, FORKED) as run:
        child = int(run.wait_ready())
        run.signal(signal.SIGKILL)
        run.wait()
        run.assert_nothing_left(besides=[child])
        assert procfs.start_ticks(child) is not None


@pytest.mark.parametrize("then", ["raise", "continue"])
def test_nothing_is_left_when_the_controller_of_workers_is_killed(
    tmp_path: Path, then: str
) -> None:
    """By itself a worker goes on with its test for 5 s or more."""
    with PytestProcess(tmp_path, IN_WORKERS.format(then=then), "-n2") as run:

        def are_ready() -> bool:
            return len(list(tmp_path.glob("ready-*"))) == 2

        assert eventually(are_ready, READY_LIMIT), run.output
        run.note_processes()
        run.signal(signal.SIGKILL)
        run.wait()
        run.assert_nothing_left()


def test_a_killed_reaper_ends_the_run(tmp_path: Path) -> None:
    """The error names it, no further test runs, and nothing is left."""
    with PytestProcess(tmp_path, FOLLOWED, "-s") as run:
        run.wait_ready()
        reaper = run.reaper
        assert kill(reaper)
        assert run.wait() == 1
        assert f"the reaper (pid {reaper.pid}) is gone" in run.output
        assert "NEXT RAN" not in run.output
        run.assert_nothing_left()


def test_nothing_is_left_when_reaper_and_pytest_are_killed(tmp_path: Path) -> None:
    """The supervisors are enough."""
    with PytestProcess(tmp_path, FOLLOWED) as run:
        run.wait_ready()
        assert kill(run.reaper)
        run.signal(signal.SIGKILL)
        run.wait()
        run.assert_nothing_left()


def test_a_killed_supervisor_fails_its_test(tmp_path: Path) -> None:
    """All that it held is ended at once, and the run says what happened."""
    with PytestProcess(tmp_path, FOLLOWED, "-s") as run:
        run.wait_ready()
        run_id = run.directory.name
        assert kill(run.supervisors[0])
        assert run.wait() == 1
        assert f"the supervisor of tmux server {run_id}-1 is gone" in run.output
        assert "NEXT RAN" not in run.output
        run.assert_nothing_left()


def test_nothing_is_left_when_supervisors_and_pytest_are_killed(
    tmp_path: Path,
) -> None:
    """The reaper adopts what they held."""
    with PytestProcess(tmp_path, FOLLOWED) as run:
        run.wait_ready()
        # Of two servers, and of the one that is started for the next test.
        supervisors = run.supervisors
        assert kill_at_once(supervisors) == len(supervisors) >= 2
        run.signal(signal.SIGKILL)
        run.wait()
        run.assert_nothing_left()


def test_pytest_ends_what_its_killed_helpers_held(tmp_path: Path) -> None:
    """It is what remains when reaper and supervisors go at once."""
    with PytestProcess(tmp_path, FOLLOWED) as run:
        run.wait_ready()
        run.note_processes()
        reaper = run.reaper
        supervisors = run.supervisors
        assert kill_at_once([reaper, *supervisors]) == 1 + len(supervisors) >= 3
        assert run.wait() == 1
        assert f"the reaper (pid {reaper.pid}) is gone" in run.output
        run.assert_nothing_left()


def test_the_busy_run_is_busy_to_its_end(tmp_path: Path) -> None:
    """Left alone, the run that is killed below does all it should."""
    with PytestProcess(tmp_path, BUSY, *BUSY_OPTIONS) as run:
        assert run.wait() == 1
        assert f"{BUSY_LEAKS} failed, {BUSY_TESTS} passed" in run.output
        run.assert_nothing_left()


@pytest.mark.parametrize("pool", [False, True], ids=["", "pool"])
@pytest.mark.parametrize("part", range(3))
def test_nothing_is_left_after_a_kill_at_a_random_moment(
    tmp_path: Path, part: int, pool: bool
) -> None:
    """Whatever pytest and the helpers are in the middle of."""
    moment = random.uniform(part, part + 1)
    logging.warning("killed after %.3f s", moment)
    environment = {"INNER_POOL": "1"} if pool else {}
    with PytestProcess(tmp_path, BUSY, *BUSY_OPTIONS, environment=environment) as run:
        run.has_exited_within(moment)
        run.note_processes()
        run.signal(signal.SIGKILL)
        run.wait()
        run.assert_nothing_left()
