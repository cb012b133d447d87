"""What the tests of the table of the pytest process leave things with."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from typing import NoReturn, TypeVar

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import procfs

LIBC = ctypes.CDLL(None, use_errno=True)
_SURVIVORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "survivors")
_LIMIT = 60.0
_IPC_PRIVATE, _IPC_RMID, _IPC_CREAT = 0, 0, 0o1000
KEPT: list[object] = []
EXITED = os.WEXITED | os.WNOWAIT
# A shell that waits for its child, and says who that is.
FAMILY = "sleep 1000 >/dev/null & echo $!; wait"

Thing = TypeVar("Thing")


def keep(thing: Thing) -> Thing:
    """Hold it for good, as a registry of the tested code would."""
    KEPT.append(thing)
    return thing


def note(pid: int) -> int:
    """Have the outer test look for this process."""
    with open(_SURVIVORS, "a") as file:
        file.write(f"{pid} {procfs.start_ticks(pid)}\n")
    return pid


def end(pid: int) -> None:
    """Kill a child and wait for it."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def stay() -> NoReturn:
    """What a forked child does, until it is ended."""
    try:
        while True:
            signal.pause()
    finally:
        os._exit(0)


def forked_process() -> ForkProcess:
    """A process that does nothing; it is not started."""
    return multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,))


def in_memory(prefix: str) -> str:
    """A name below /dev/shm that nobody else uses."""
    return f"/dev/shm/{prefix}-{os.getpid()}"


def orphan(become: Callable[[], object] = os.getpid) -> int:
    """Pid of a process whose parent has exited; it has run *become*, and stays."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.fork() == 0:
                become()
                os.write(writing, str(os.getpid()).encode())
                stay()
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    pid = int(os.read(reading, 20))
    os.close(reading)
    return note(pid)


def ending_with(reading: int, writing: int) -> Callable[[], object]:
    """What an orphan becomes that ends once this process closes its pipe."""

    def become() -> None:
        os.close(writing)
        threading.Thread(target=lambda: os._exit(len(os.read(reading, 1)))).start()

    return become


def orphan_of_program(*command: str) -> int:
    """Pid of an orphan that *command* has become: ``sleep 1000`` in the end."""
    done = subprocess.run(
        ["sh", "-c", '"$@" >/dev/null 2>&1 & echo $!', "sh", *command],
        stdout=subprocess.PIPE,
        check=True,
    )
    return sleeping(int(done.stdout))


def sleeping(pid: int) -> int:
    """The pid, noted, of what has become ``sleep 1000`` on return."""
    _await(lambda: procfs.command_line(pid) == ["sleep", "1000"], pid)
    return note(pid)


def end_orphan(pid: int) -> None:
    """Kill it, and wait until whoever has adopted it has reaped it."""
    os.kill(pid, signal.SIGKILL)
    _await(lambda: procfs.stat(pid) is None, pid)


def _await(condition: Callable[[], bool], pid: int) -> None:
    deadline = Deadline(_LIMIT)
    while not condition():
        assert not deadline.expired, procfs.stat(pid)
        # Waiting on nothing.
        select.select([], [], [], 0.005)


def start_tmux(*options: str) -> None:
    """A tmux server as tested code starts one, with a program in its pane."""
    command = ["tmux", *options, "-f", "/dev/null", "new-session", "-dPF"]
    done = subprocess.run(
        [*command, "#{pid} #{pane_pid}", "exec sleep 1000"],
        check=True,
        capture_output=True,
        text=True,
    )
    server, pane = done.stdout.split()
    note(int(server))
    sleeping(int(pane))


def make_segment() -> int:
    """Id of a new System V segment."""
    number = LIBC.shmget(_IPC_PRIVATE, 4096, _IPC_CREAT | 0o600)
    assert number >= 0, os.strerror(ctypes.get_errno())
    return int(number)


def remove_segment(number: int) -> None:
    """Remove a System V segment."""
    assert LIBC.shmctl(number, _IPC_RMID, None) == 0
