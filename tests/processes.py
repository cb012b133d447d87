"""Inner test runs whose processes the outer test holds by pidfd."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
# Leaking runs wait this long for what leaks anyway.
SHORT_GRACE = "tmux_leak_grace = 0.5"
Run = Callable[..., pytest.RunResult]
PASSING = """
    def test_it(tmux_pane):
        assert tmux_pane.run("echo $((6 * 7))").output == "42\\n"
"""
_ROW = re.compile(
    r"^[ │├└─]*(?P<name>\S.*?) (?P<pid>\d+)(?: \(pane [^)]*\))? +"
    r"(?P<state>ALIVE|ZOMBIE) [\d.]+ s   (?P<why>.*?)(?:, started by (?P<by>.*))?$"
)


@dataclass(frozen=True)
class Survivor:
    """One row of a report.

    Attributes:
        name: What the report calls the process.
        pid: Its number.
        state: ``ALIVE`` or ``ZOMBIE``.
        why: How it escaped.
        started_by: Who started it, or "".
        command: Its command line, "" for a zombie.
    """

    name: str
    pid: int
    state: str
    why: str
    started_by: str
    command: str


class Watched:
    """A process of an inner run, held by a pidfd."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.pidfd = pidfd

    @property
    def is_gone(self) -> bool:
        """It has exited, and is no zombie either.

        Source: proc_pid_fdinfo(5), Pid of a pidfd is -1 once it is reaped.
        """
        lines = Path(f"/proc/self/fdinfo/{self.pidfd}").read_text().splitlines()
        return "Pid:\t-1" in lines

    @property
    def is_running(self) -> bool:
        """It has not exited."""
        return not select.select([self.pidfd], [], [], 0)[0]

    def end(self) -> None:
        """Kill it, if it is still there."""
        if self.is_running:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        os.close(self.pidfd)


class InnerRun:
    """What an inner run printed, and the processes that it had watched."""

    def __init__(self, result: pytest.RunResult, witness: Witness) -> None:
        self.result = result
        self.watched = witness.watched
        self.lifelines = witness.lifelines

    @property
    def survivors(self) -> list[Survivor]:
        """Rows of the report, in its order."""
        lines = self.result.outlines
        return [
            Survivor(
                row["name"],
                int(row["pid"]),
                row["state"],
                row["why"],
                row["by"] or "",
                lines[number + 1].strip(" │") if row["state"] == "ALIVE" else "",
            )
            for number, line in enumerate(lines)
            if (row := _ROW.match(line))
        ]

    def survivor(self, pid: int) -> Survivor:
        """The row of one process."""
        __tracebackhide__ = True
        found = [row for row in self.survivors if row.pid == pid]
        assert len(found) == 1, f"{pid} is not reported once:\n{self.result.stdout}"
        return found[0]

    def assert_leaked(self, *whys: str) -> None:
        """The test failed as LEAKED, and says *whys* of those that it watched.

        All of them are gone now, and nothing else is accused.
        """
        __tracebackhide__ = True
        self.assert_leaked_outcome()
        assert [self.survivor(one.pid).why for one in self.watched] == list(whys)
        assert len(self.survivors) == len(whys)
        self.assert_all_gone()

    def assert_leaked_outcome(self) -> None:
        """Exit status 1, and LEAKED where one looks for it."""
        __tracebackhide__ = True
        assert self.result.ret == pytest.ExitCode.TESTS_FAILED
        self.result.assert_outcomes(passed=1, failed=1)
        self.result.stdout.fnmatch_lines(
            ["*_ test_inner _*", "LEAKED *::test_inner"], consecutive=True
        )
        self.result.stdout.fnmatch_lines(
            ["*short test summary*", "LEAKED test_inner.py::test_inner - *"]
        )

    def assert_clean(self) -> None:
        """It passed, and nothing that it watched is left."""
        __tracebackhide__ = True
        assert self.result.ret == pytest.ExitCode.OK
        self.result.assert_outcomes(passed=1)
        self.result.stdout.no_fnmatch_line("*LEAKED*")
        self.assert_all_gone()

    def assert_all_gone(self) -> None:
        """Neither process nor zombie is left of what was watched."""
        __tracebackhide__ = True
        assert [one.pid for one in self.watched if not one.is_gone] == []
        assert not any(has_holder(lifeline) for lifeline in self.lifelines)


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test where *program* is not installed."""
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"{program} is not installed"
    )


def has_holder(lifeline: int) -> bool:
    """A process still has the other end of the FIFO open."""
    poller = select.poll()
    poller.register(lifeline, 0)
    return not poller.poll(0)


class Witness:
    """Receives descriptors of an inner run's processes."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # Autobind: an abstract address that the kernel chooses.
        self.socket.bind("")
        self.socket.setblocking(False)
        self.watched: list[Watched] = []
        self.lifelines: list[int] = []

    @property
    def address(self) -> str:
        """The abstract address without its leading NUL."""
        name: bytes = self.socket.getsockname()
        return name[1:].decode()

    def receive(self) -> None:
        """Take in all that was handed out."""
        while True:
            try:
                what, (descriptor,), _, _ = socket.recv_fds(self.socket, 64, 1)
            except BlockingIOError:
                return
            if what == b"lifeline":
                self.lifelines.append(descriptor)
            else:
                self.watched.append(Watched(int(what), descriptor))

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Take in what is handed out meanwhile: only a few messages can wait."""
        wake, stop = os.pipe()

        def take_in() -> None:
            poller = select.poll()
            for descriptor in (self.socket.fileno(), wake):
                poller.register(descriptor, select.POLLIN)
            while wake not in dict(poller.poll()):
                self.receive()
            self.receive()

        thread = threading.Thread(target=take_in)
        thread.start()
        try:
            yield
        finally:
            os.close(stop)
            thread.join()
            os.close(wake)

    def close(self) -> None:
        """End what is still there, so that a failed test leaves nothing."""
        self.receive()
        for watched in self.watched:
            watched.end()
        for lifeline in self.lifelines:
            os.close(lifeline)
        self.socket.close()


class Inner:
    """Runs test files in a pytest of their own, with `programs/inner_conftest.py`."""

    def __init__(self, pytester: pytest.Pytester, witness: Witness) -> None:
        self.pytester = pytester
        self._witness = witness
        pytester.makeconftest((PROGRAMS / "inner_conftest.py").read_text())

    def run(self, source: str, *arguments: str, ini: str = "") -> InnerRun:
        """Run *source* as ``test_inner.py`` with *ini* lines besides ours."""
        self.pytester.makeini(f"[pytest]\nfilterwarnings = error\n{ini}\n")
        self.pytester.makepyfile(test_inner=source)
        with self._witness.receiving():
            result = self.pytester.runpytest_subprocess(
                "-p", "no:cacheprovider", *arguments, timeout=60
            )
        return InnerRun(result, self._witness)

    def run_line(self, line: str, *, ini: str = SHORT_GRACE) -> InnerRun:
        """Run a test that types *line* in a pane and waits until it took effect."""
        return self.run(
            f"def test_inner(tmux_pane, start):\n    start(tmux_pane, {line!r})",
            ini=ini,
        )


@pytest.fixture
def inner(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Inner]:
    """Inner runs whose processes are ended with the test."""
    witness = Witness()
    monkeypatch.setenv("TEST_WITNESS", witness.address)
    monkeypatch.setenv("TEST_PROGRAMS", str(PROGRAMS))
    yield Inner(pytester, witness)
    witness.close()


@pytest.fixture
def run_inner(pytester: pytest.Pytester) -> Run:
    """Write a test module and run pytest on it, through a command if given."""

    def run(source: str, *arguments: str, through: tuple[str, ...] = ()) -> object:
        pytester.makepyfile(test_inner=source)
        command = [*through, sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
        return pytester.run(*command, *arguments, timeout=60)

    return run  # type: ignore[return-value]
