"""Any process of a run below a supervisor is killed, or told to end."""

from __future__ import annotations

import logging
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from runs import PytestProcess, eventually, kill, kill_at_once
from runs_to_kill import RUN_KINDS
from soak_kills import KILLS, start

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.identity import Identity

FLAG = "--tmux-leak-check"
LIMIT = 60.0
# Neither HUP nor TERM ends it, and nothing but its parent says whose it is.
STUBBORN = """
import signal, subprocess

def start_stubborn():
    script = "trap '' HUP TERM; echo armed; exec sleep 1000"
    command = ["env", "-i", "setsid", "-f", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as orphan:
        # The pipe stays open: its other end is the orphan's.
        assert orphan.stdout.readline() == b"armed\\n"
"""
WAITS = (
    STUBBORN
    + """
def test_it(ready, stubborn):
    start_stubborn()
    stubborn()
    ready()
    while True:
        signal.pause()
"""
)


@dataclass(frozen=True)
class Roles:
    """The processes of a run, by what they do."""

    outer: Identity
    witness: Identity
    supervisor: Identity
    pytest: Identity


def roles(run: PytestProcess) -> Roles:
    """Who is who, once pytest runs its test."""
    children = procfs.children(run.pid)
    (supervisor,) = (pid for pid in children if os.getsid(pid) == pid)
    (witness,) = (pid for pid in children if pid != supervisor)
    # The first child; orphans come later.
    pytest = procfs.children(supervisor)[0]
    return Roles(*map(identity, (run.pid, witness, supervisor, pytest)))


def identity(pid: int) -> Identity:
    ticks = procfs.start_ticks(pid)
    assert ticks is not None
    return Identity(pid, ticks)


@pytest.mark.parametrize("victim", ["outer", "supervisor", "pytest"])
def test_nothing_is_left_when_one_is_killed(tmp_path: Path, victim: str) -> None:
    """Orphans and tmux servers go too, and the parent sees a kill."""
    with PytestProcess(tmp_path, WAITS, FLAG) as run:
        run.wait_ready()
        assert run.note_processes() > 9
        assert kill(getattr(roles(run), victim))
        assert run.wait() == -signal.SIGKILL
        run.assert_nothing_left()


SERVES = """
import signal

def test_it(ready, stubborn):
    stubborn()
    ready()
    signal.pause()
"""


def test_pytest_dies_when_outer_process_and_supervisor_are_killed(
    tmp_path: Path,
) -> None:
    """Nobody waits for it any more; its reaper ends its tmux servers."""
    with PytestProcess(tmp_path, SERVES, FLAG) as run:
        run.wait_ready()
        run.note_processes()
        found = roles(run)
        assert kill_at_once([found.outer, found.supervisor]) == 2
        assert run.wait() == -signal.SIGKILL
        run.assert_nothing_left()


def test_nothing_is_left_when_the_whole_job_is_killed(tmp_path: Path) -> None:
    """As by ``timeout -s KILL``: the supervisor is in no job."""
    with PytestProcess(tmp_path, WAITS, FLAG) as run:
        run.wait_ready()
        run.note_processes()
        os.killpg(run.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        run.assert_nothing_left()


@pytest.mark.parametrize("name", ["check", "check in workers"])
def test_nothing_is_left_after_a_kill_at_a_random_moment(
    tmp_path: Path, name: str
) -> None:
    """Whichever process of the run it is, and whatever they are in the middle of.

    Not a worker: what becomes of the run then is for xdist to say.
    """
    (kind,) = (kind for kind in RUN_KINDS if kind.name == name)
    victims = [victim for victim in kind.victims if victim != "worker"]
    victim, moment = random.choice(victims), random.uniform(0, 3)
    logging.warning("%s killed after %.3f s", victim, moment)
    with start(kind, tmp_path) as run:
        run.has_exited_within(moment)
        KILLS[victim](run)


def test_what_a_killed_pytest_left_is_told(tmp_path: Path) -> None:
    """pytest itself can report nothing any more."""
    with PytestProcess(tmp_path, WAITS, FLAG) as run:
        run.wait_ready()
        kill(roles(run).pytest)
        assert run.wait() == -signal.SIGKILL
        told = run.output.partition("SIGKILL ended pytest, and this with it:\n")[2]
        assert [line.split(maxsplit=1)[1] for line in told.splitlines()] == [
            "sleep 1000"
        ]


def test_run_goes_on_without_its_witness(tmp_path: Path) -> None:
    """Then it is not known whom a signal was sent to, and it is passed on."""
    with PytestProcess(tmp_path, WAITS, FLAG) as run:
        run.wait_ready()
        assert kill(roles(run).witness)
        run.signal(signal.SIGTERM)
        assert run.wait() == -signal.SIGTERM
        run.assert_nothing_left()


COUNTS = """
import select, signal

def test_it(ready):
    came = []
    signal.signal(signal.SIGINT, lambda *_: came.append("INT"))
    signal.signal(signal.SIGUSR1, lambda *_: came.append("USR1"))
    ready()
    while "USR1" not in came:
        select.select([], [], [], 0.05)
    ready(" ".join(came))
"""


@pytest.mark.parametrize("whom", ["outer", "group", "outer and group", "each"])
def test_interrupt_comes_to_pytest_once(tmp_path: Path, whom: str) -> None:
    """Whether it is sent to the process, to the job, or as timeout(1) does."""
    with PytestProcess(tmp_path, COUNTS, FLAG) as run:
        run.wait_ready()
        found = roles(run)
        if whom != "each":
            for one in whom.split(" and "):
                send = os.kill if one == "outer" else os.killpg
                send(run.pid, signal.SIGINT)
        else:
            for process in vars(found).values():
                kill(process, signal.SIGINT)
        # What came later is passed on later.
        run.signal(signal.SIGUSR1)
        assert run.wait_ready() == "INT USR1"
        assert run.wait() == 0


STOPS = """
import signal

def test_it(ready):
    ready()
    signal.pause()
"""


def test_outer_process_stops_and_continues_with_pytest(tmp_path: Path) -> None:
    """So the shell, or whoever waits for it, sees a stopped job."""
    with PytestProcess(tmp_path, STOPS, FLAG) as run:
        run.wait_ready()
        found = roles(run)
        kill(found.pytest, signal.SIGSTOP)
        assert eventually(lambda: state(found.outer) == "T", LIMIT)
        run.signal(signal.SIGCONT)
        assert eventually(lambda: state(found.pytest) != "T", LIMIT)
        run.signal(signal.SIGTERM)
        assert run.wait() == -signal.SIGTERM


def state(process: Identity) -> str:
    now = procfs.stat(process.pid)
    return now.state if now else "gone"


def test_standard_input_reaches_the_test(tmp_path: Path) -> None:
    source = "def test_it(ready):\n    ready(input())\n"
    with PytestProcess(tmp_path, source, FLAG, "-s") as run:
        run.tell("typed\n")
        assert run.wait_ready() == "typed"
        assert run.wait() == 0


def test_what_pytest_closes_is_closed(tmp_path: Path) -> None:
    """None of the other processes holds a pipe that pytest was given."""
    source = """
import os, signal, sys

def test_it(ready):
    ready()
    os.close(int(os.environ["INNER_RUN_READY"]))
    signal.pause()
"""
    with PytestProcess(tmp_path, source, FLAG) as run:
        run.wait_ready()
        assert run.wait_hung_up()
        run.signal(signal.SIGTERM)
        assert run.wait() == -signal.SIGTERM
