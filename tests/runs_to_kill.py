"""Runs of all kinds, for a kill at any moment, and who can be killed in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from busy_run import BUSY, BUSY_OPTIONS
from runs import PytestProcess

from pytest_tmuxlife.containment import procfs

CHECK = "--tmux-leak-check"
# What a worker of pytest-xdist is started with.
_WORKER = "exec(eval(sys.stdin.readline()))"

# Tests that start things by themselves, and fixtures of wider scope that hold some.
# What sheds its environment has the token of its run in its arguments.
STARTING = """
import os
import subprocess

import pytest

TOKEN = os.environ["PATH"].rpartition("/")[2]
SLEEPER = f"trap '' HUP TERM; echo armed; exec -a {TOKEN} sleep 1000"


def start_daemon():
    command = ["env", "-i", "setsid", "-f", "bash", "-c", SLEEPER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout.readline() == b"armed\\n"


def tmux(*arguments):
    subprocess.run(["tmux", "-f", "/dev/null", *arguments], check=True)


@pytest.fixture(scope="session")
def wide_server(tmp_path_factory):
    socket = str(tmp_path_factory.mktemp("s") / TOKEN)
    tmux("-S", socket, "new-session", "-d", "sleep 1000")
    yield socket
    tmux("-S", socket, "kill-server")


@pytest.fixture(scope="module")
def wide_process():
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_daemons():
    start_daemon()
    start_daemon()


def test_daemon_beside_a_server(tmux_pane):
    start_daemon()
    tmux_pane.run("sleep 1000 &")


def test_server_of_its_own():
    tmux("new-session", "-d", f"exec bash -c \\"{SLEEPER}\\"")


def test_named_server():
    tmux("-L", TOKEN, "new-session", "-d", "sleep 1000")


def test_wide_server(wide_server, wide_process):
    tmux("-S", wide_server, "new-window", "-d", "setsid -f sleep 1000")


def test_wide_server_again(wide_server, wide_process, tmux_pane):
    tmux_pane.run(f"tmux -S {wide_server} new-window -d 'sleep 1000'", check=True)


def test_fork():
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "1000"])


def test_chain():
    # Each is the parent of the next, and gone at once.
    link = f'sleep 0.02; setsid -f bash -c "$0" "$0" {TOKEN}'
    subprocess.run(["env", "-i", "setsid", "-f", "bash", "-c", link, link, TOKEN])
"""
# All on one tmux server, which is there until the end of the run.
SHARING = """
import pytest


@pytest.fixture(scope="module")
def wide_session(tmux_shared_server):
    session = tmux_shared_server.new_session("wide")
    session.pane.run("sleep 1000 &")
    yield session
    session.kill()


@pytest.mark.parametrize("number", range(6))
def test_wide_session(wide_session, number):
    pane = wide_session.split()
    pane.run("(trap '' HUP TERM; setsid sleep 1000 &)", check=True)


@pytest.mark.parametrize("number", range(4))
def test_own_session(tmux_shared_server, number):
    session = tmux_shared_server.new_session()
    session.pane.run("sleep 1000 &")
    session.kill()
"""


@dataclass(frozen=True)
class RunKind:
    """A kind of run.

    Attributes:
        name: What it is called.
        source: Its tests.
        arguments: For pytest, besides those that all have.
        environment: Variables that are added.
        victims: Who of it is killed, by the names of `VICTIMS`.
    """

    name: str
    source: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    victims: tuple[str, ...] = ("started",)

    @property
    def options(self) -> tuple[str, ...]:
        """All arguments for pytest."""
        return (*BUSY_OPTIONS, *self.arguments)


# Without both, what a pane has started is promised to go only while it keeps its
# environment or its Unix session. Under the check, the run's supervisor is as ever.
_WITHOUT = "tmux_without=cgroup subreaper"
_SPLIT = ("started", "job", "run supervisor", "pytest")
RUN_KINDS = (
    RunKind("plain", BUSY),
    RunKind("pool", BUSY, environment={"INNER_POOL": "1"}),
    RunKind("shared server", SHARING),
    RunKind("without cgroup", BUSY, ("-o", "tmux_without=cgroup")),
    RunKind("without subreaper", BUSY, ("-o", "tmux_without=subreaper")),
    RunKind("without both", BUSY, ("-o", _WITHOUT)),
    RunKind("workers", BUSY, ("-n2",), victims=("started", "worker")),
    RunKind("check", STARTING, (CHECK,), victims=_SPLIT),
    RunKind("check of servers", BUSY, (CHECK,), victims=_SPLIT),
    RunKind("check of shared server", SHARING, (CHECK,), victims=_SPLIT),
    RunKind("check without both", STARTING, (CHECK, "-o", _WITHOUT), victims=_SPLIT),
    RunKind("check in workers", STARTING, (CHECK, "-n2"), victims=(*_SPLIT, "worker")),
)


def _find_run_supervisor(run: PytestProcess) -> int | None:
    for pid in procfs.children(run.pid):
        now = procfs.stat(pid)
        if now is not None and now.comm == "tmuxlife-run":
            return pid
    return None


def _find_pytest(run: PytestProcess) -> int | None:
    """pytest itself: below the run supervisor, or what was started."""
    supervisor = _find_run_supervisor(run)
    if supervisor is None:
        return None if CHECK in procfs.command_line(run.pid) else run.pid
    for pid in procfs.children(supervisor):
        if "pytest" in procfs.command_line(pid):
            return pid
    return None


def _find_worker(run: PytestProcess) -> int | None:
    pytest = _find_pytest(run)
    for pid in procfs.children(pytest) if pytest is not None else ():
        if _WORKER in " ".join(procfs.command_line(pid)):
            return pid
    return None


VICTIMS: Mapping[str, Callable[[PytestProcess], int | None]] = {
    "started": lambda run: run.pid,
    "run supervisor": _find_run_supervisor,
    "pytest": _find_pytest,
    "worker": _find_worker,
}
