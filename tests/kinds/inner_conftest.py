"""The conftest.py of the runs on the table: plays many rows in one test.

Every row has a tmux server of its own; the grace of one is that of all.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from kinds.model import PATH, Kind, Row, Twin
from pytest_tmuxlife import BASH, Pane, Program, Server
from pytest_tmuxlife.clock import Deadline, backoff
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.processes import ProcessInfo

HERE = Path(__file__).parent
LIMIT = 60.0
# What says that it is in no Unix session of a pane's.
_LEAVES = ("setsid", "double fork", "multiplexer")


class Player:
    """A row with its server, pane and directory."""

    def __init__(
        self, row: Row, number: int, factory: Callable[..., Server], root: Path
    ) -> None:
        self.row = row
        self.directory = root / str(number)
        self.directory.mkdir()
        for name, content in row.files.items():
            (self.directory / name).write_text(content)
        run = os.getpid() & 0xFFFF
        host = f"127.{run >> 8}.{run & 0xFF}.{number + 2}"
        self.environment = {
            "HOME": str(self.directory),
            # fish leaves a directory in the second, or in the first without it.
            "TMPDIR": str(self.directory),
            "XDG_RUNTIME_DIR": str(self.directory),
            "HOST": host,
            "HEX": socket.inet_aton(host)[::-1].hex().upper(),
            "PATH": PATH,
            "PROGRAMS": os.environ["TEST_PROGRAMS"],
            "PYTHON": sys.executable,
            # That of a user who may not log in runs nothing.
            "SHELL": "/bin/sh",
            "READY": str(self.directory / "ready.fifo"),
        }
        os.mkfifo(self.environment["READY"])
        self._heard = os.open(self.environment["READY"], os.O_RDONLY | os.O_NONBLOCK)
        self.server = factory(
            cwd=str(self.directory), env=self.environment, program=_shell(row.shell)
        )
        self.pane: Pane = self.server.new_session().pane
        self.shell_pid = self.pane.pid

    @property
    def _announces(self) -> bool:
        """Its program says itself when it is ready."""
        return "$PROGRAMS" in self.row.line

    def play(self) -> None:
        """Type the line."""
        self.pane.wait_for_prompt(timeout=LIMIT)
        self.pane.send_line(self.row.line)

    def wait(self) -> None:
        """Return once the line has taken effect."""
        if self._announces:
            assert select.select([self._heard], [], [], LIMIT)[0], self._complaint()
        if not self._holds(lambda: self._is_settled() and self._is_ready()):
            raise AssertionError(self._complaint())
        os.close(self._heard)

    def stop(self) -> None:
        """Type what ends a twin, and wait until only the shell is left."""
        if not isinstance(self.row, Twin):
            return
        if self.row.interrupt:
            self.pane.send_key("C-c")
        elif self.row.stop:
            self.pane.send_line(self.row.stop)
        else:
            return
        if not self._holds(lambda: not self.others()):
            raise AssertionError(self._complaint())

    def others(self) -> list[ProcessInfo]:
        """All that came of it but the tmux server and the shell."""
        known = (self.server.pid, self.shell_pid)
        return [info for info in self.server.processes() if info.pid not in known]

    def _is_ready(self) -> bool:
        done = subprocess.run(
            ["sh", "-c", self.row.ready],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode == 0

    def _is_settled(self) -> bool:
        """What is expected is there, and has become what makes it stay."""
        if self._announces:
            return True
        others = self.others()
        if isinstance(self.row, Kind):
            return len(others) >= len(self.row.survivors) and all(
                any(self._fits(info, name, why) for info in others)
                for name, why in self.row.survivors
            )
        runs = self.row.runs if isinstance(self.row, Twin) else ()
        return Counter(runs) <= Counter(info.label for info in others)

    def _fits(self, info: ProcessInfo, name: str, why: str) -> bool:
        if not fnmatchcase(info.label, name):
            return False
        status = procfs.status(info.pid)

        def has(mask: str, number: int) -> bool:
            return bool(int(status.get(mask, "0"), 16) >> (number - 1) & 1)

        shell, now = procfs.stat(self.shell_pid), procfs.stat(info.pid)
        left = shell is not None and info.sid != shell.sid
        behind = now is not None and now.foreground_group != now.pgid
        return all(
            (
                left or not any(word in why for word in _LEAVES),
                behind or "background group" not in why,
                has("SigIgn", signal.SIGHUP) or "ignores SIGHUP" not in why,
                has("SigBlk", signal.SIGHUP) or "blocks SIGHUP" not in why,
                has("SigCgt", signal.SIGHUP) or "catches SIGHUP" not in why,
                info.is_stopped or not why.startswith("stopped"),
            )
        )

    def _holds(self, condition: Callable[[], bool]) -> bool:
        deadline = Deadline(LIMIT)
        for pause in backoff(0.01, 0.2):
            if condition():
                return True
            if deadline.expired:
                return False
            # Waiting on nothing.
            select.select([], [], [], pause)
        raise AssertionError("backoff never ends")

    def _complaint(self) -> str:
        there = [f"{info.label}: {info.command_line}" for info in self.others()]
        return f"{self.row.name} is not ready: {there}\n{self.pane.screen().text}"

    def record(self) -> dict[str, object]:
        """What the outer test must know."""
        everything = [
            f"{info.pid} {info.start_ticks}" for info in self.server.processes()
        ]
        return {
            "server": self.server.pid,
            "directory": str(self.directory),
            "host": self.environment["HOST"],
            "processes": everything,
        }


def _shell(name: str) -> Program:
    if name in ("bash", "dash"):
        return BASH if name == "bash" else Program(("dash", "-i"), prompt=r"[#$] ?")
    return Program(tuple(name.split()), prompt=r".*[#$%>] ?")


@pytest.fixture
def play(
    tmux_server_factory: Callable[..., Server],
) -> Callable[[str, Iterable[Row]], None]:
    """``play(name, rows)``: all have taken effect, twins were stopped, and what
    the outer test must know of them stands in ``name.json``.
    """

    def play(name: str, rows: Iterable[Row]) -> None:
        root = HERE / "work"
        root.mkdir(exist_ok=True)
        first = len(list(root.iterdir()))
        players = [
            Player(row, first + number, tmux_server_factory, root)
            for number, row in enumerate(rows)
        ]
        for player in players:
            player.play()
        for player in players:
            player.wait()
        records = {player.row.name: player.record() for player in players}
        for player in players:
            player.stop()
        (HERE / f"{name}.json").write_text(json.dumps(records))

    return play
