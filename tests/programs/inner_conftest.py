"""The conftest.py of the inner runs: starts programs, and lets them be watched."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_tmuxlife import Pane


@pytest.fixture
def tmux_options(tmp_path: Path) -> dict[str, object]:
    """Every pane knows where the programs are, and where they say they are ready."""
    return {
        "env": {
            "READY": str(tmp_path / "ready"),
            "PYTHON": sys.executable,
            "PROGRAMS": os.environ["TEST_PROGRAMS"],
        }
    }


def _hand_out(what: str, descriptor: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(b"\0" + os.environb[b"TEST_WITNESS"])
        socket.send_fds(sock, [what.encode()], [descriptor])


@pytest.fixture
def watch() -> Callable[..., None]:
    """``watch(pid, ...)``: the outer test gets a pidfd of each."""

    def watch(*pids: int) -> None:
        for pid in pids:
            pidfd = os.pidfd_open(pid)
            _hand_out(str(pid), pidfd)
            os.close(pidfd)

    return watch


@pytest.fixture
def ready(
    tmp_path: Path, watch: Callable[..., None]
) -> Iterator[Callable[[], list[int]]]:
    """``ready()``: pids that a program announces; they are watched on return."""
    path = tmp_path / "ready"
    os.mkfifo(path)
    fifo = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    _hand_out("lifeline", fifo)

    def ready() -> list[int]:
        heard = b""
        while not heard.endswith(b"\n"):
            assert select.select([fifo], [], [], 20)[0], "no program announced itself"
            heard += os.read(fifo, 4096)
        pids = [int(word) for word in heard.split()]
        watch(*pids)
        return pids

    yield ready
    os.close(fifo)


@pytest.fixture
def start(ready: Callable[[], list[int]]) -> Callable[[Pane, str], list[int]]:
    """``start(pane, line)``: pids of its program, which misbehaves on return."""

    def start(pane: Pane, line: str) -> list[int]:
        pane.send_line(line)
        return ready()

    return start
