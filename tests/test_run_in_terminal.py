"""A run below its supervisor, in a real terminal: as without one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from runs import eventually

from pytest_tmuxlife.containment import kernel, procfs

_LIMIT = 60
_PROMPT = "PROMPT> "
_RUN = f"{sys.executable} -m pytest -p no:cacheprovider --tmux-leak-check"
# What it starts outlives pytest unless somebody ends it.
CONFTEST = """
import subprocess

import pytest


@pytest.fixture
def orphan():
    subprocess.run("env -i setsid -f sleep 1000", shell=True, check=True)
"""
WAITS = """
import select

import pytest


@pytest.fixture
def cleaned():
    yield
    print("TEARDOWN ENDED")


def test_it(orphan, cleaned):
    print("READY", flush=True)
    while True:
        select.select([], [], [], 0.05)
"""
READS = """
import sys


def test_it(orphan):
    print("READY", flush=True)
    # Not input(): readline catches the stop signal, and may put it off to the next key.
    assert sys.stdin.readline() == "go on\\n"
"""


class Terminal:
    """A shell with job control in a terminal, and what was started from it."""

    def __init__(self, where: Path, command: str, *arguments: str) -> None:
        (where / "conftest.py").write_text(CONFTEST)
        self.where = where
        self.token = os.urandom(8).hex()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(where),
            "PS1": _PROMPT,
            "TERM": "dumb",
            "LC_ALL": "C",
            "TEST_TOKEN": self.token,
        }
        self.child = pexpect.spawn(
            command,
            [*arguments],
            cwd=where,
            env=environment,
            timeout=_LIMIT,
            encoding="utf-8",
            dimensions=(24, 200),
        )

    def run(self, source: str, *arguments: str) -> None:
        """Type the command that runs pytest on the test module *source*."""
        (self.where / "test_inner.py").write_text(source)
        self.child.expect_exact(_PROMPT)
        words = " ".join([_RUN, *arguments, "test_inner.py"])
        self.child.sendline(f"{words}; echo STATUS $?")

    def expect(self, text: str) -> None:
        """Wait for a text, on the screen after what was last waited for."""
        self.child.expect_exact(text)

    def expect_status(self, status: int) -> None:
        """The shell shows so when the job has ended; nothing of it is left."""
        self.expect(f"STATUS {status}\r\n")
        assert [pid for pid in self.living() if pid != self.child.pid] == []

    def living(self) -> list[int]:
        """All that was started here and is there yet, but for orphans."""
        token = self.token.encode()
        return [
            pid
            for pid in procfs.all_pids()
            if token in (procfs.read_bytes(f"/proc/{pid}/environ") or b"")
        ]

    def wait_for_job(self, *, stopped: bool) -> None:
        """Wait until all of the job that can stop has, or none is."""
        states = {True: 2, False: 0}
        assert eventually(lambda: self._count_stopped() == states[stopped], _LIMIT)

    def _count_stopped(self) -> int:
        found = [procfs.stat(pid) for pid in self.living()]
        return sum(now is not None and now.state == "T" for now in found)

    def hang_up(self) -> None:
        """Close the terminal; pexpect's own close sends signals after it."""
        # Its stubs do not know it.
        child: Any = self.child
        child.ptyproc.fileobj.close()

    def close(self) -> None:
        """End all of it."""
        self.hang_up()
        for pid in self.living():
            pidfd = kernel.open_pidfd(pid)
            if pidfd is not None:
                kernel.send_signal(pidfd, signal.SIGKILL)
                os.close(pidfd)
        # Waited for, pexpect finds nothing left to end.
        if self.child.isalive():
            self.child.wait()
        self.child.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, "bash", "--norc", "--noprofile", "-i")
    yield terminal
    terminal.close()


def test_interrupt_key_ends_the_run_in_order(terminal: Terminal) -> None:
    """It comes to pytest once: a second one would cut its teardown short."""
    terminal.run(WAITS, "-s")
    terminal.expect("READY")
    terminal.child.sendintr()
    terminal.expect("TEARDOWN ENDED")
    terminal.expect("KeyboardInterrupt")
    terminal.expect_status(2)


def test_quit_key_ends_it_at_once(terminal: Terminal) -> None:
    terminal.child.sendline("ulimit -c 0")
    terminal.run(WAITS, "-s")
    terminal.expect("READY")
    terminal.child.sendcontrol("\\")
    terminal.expect("Quit")
    terminal.expect_status(131)


def test_suspend_key_stops_the_job_and_fg_continues_it(terminal: Terminal) -> None:
    """More than once, and it reads from the terminal afterwards."""
    terminal.run(READS, "-s")
    terminal.expect("READY")
    for _ in range(2):
        terminal.child.sendcontrol("z")
        terminal.expect("Stopped")
        terminal.expect(_PROMPT)
        terminal.wait_for_job(stopped=True)
        terminal.child.sendline("fg")
        # Only then it has the terminal, and takes the key.
        terminal.wait_for_job(stopped=False)
    terminal.child.sendline("go on")
    terminal.expect("1 passed")
    terminal.child.sendline("echo STATUS $?")
    # The orphan is a leak of the test.
    terminal.expect_status(1)


def test_stopped_job_can_be_terminated(terminal: Terminal) -> None:
    """By the shell, which sends TERM and CONT to the group."""
    terminal.run(READS, "-s")
    terminal.expect("READY")
    terminal.child.sendcontrol("z")
    terminal.expect("Stopped")
    terminal.expect(_PROMPT)
    terminal.child.sendline("kill %1")
    assert eventually(lambda: terminal.living() == [terminal.child.pid], _LIMIT)
    # Before a prompt the shell says what has become of its jobs.
    terminal.child.sendline("")
    terminal.expect("Terminated")


def test_debugger_is_at_the_terminal(terminal: Terminal) -> None:
    terminal.run("def test_it(orphan): assert 40 == 2", "--pdb")
    terminal.expect("(Pdb) ")
    terminal.child.sendline("p 20 * 2 + 2")
    terminal.expect("\r\n42\r\n")
    terminal.expect("(Pdb) ")
    terminal.child.sendline("continue")
    # Once more, for the orphan, which lives until then.
    terminal.expect("LEAKED")
    terminal.expect("(Pdb) ")
    terminal.child.sendline("continue")
    terminal.expect_status(1)


def test_closed_terminal_ends_the_run(terminal: Terminal) -> None:
    terminal.run(WAITS, "-s")
    terminal.expect("READY")
    assert len(terminal.living()) > 3
    terminal.hang_up()
    assert eventually(lambda: not terminal.living(), _LIMIT)


def test_closed_terminal_ends_a_run_that_leads_the_session(tmp_path: Path) -> None:
    """The hang-up is sent to the session's leader alone: the outer process."""
    (tmp_path / "test_inner.py").write_text(WAITS)
    terminal = Terminal(tmp_path, *_RUN.split(), "-s", "test_inner.py")
    try:
        terminal.expect("READY")
        terminal.hang_up()
        assert eventually(lambda: not terminal.living(), _LIMIT)
    finally:
        terminal.close()
