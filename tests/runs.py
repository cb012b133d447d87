"""Inner pytest runs that are killed, and the search for what they left.

An inner run is a real ``python -m pytest``. Its directories stand under a
root of its own, so that no other run sweeps what it left, and every process
of it bears a token: an entry of PATH, which helpers and panes get too. What
sheds its environment can have the last part of the token in its arguments.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import cgroup, kernel, procfs
from pytest_tmuxlife.containment.files import read_record
from pytest_tmuxlife.containment.identity import Identity

_Found = TypeVar("_Found")

# What the project promises: nothing is left so many seconds after the end.
GONE_LIMIT = 3.0
# A shell's background job ignores INT and QUIT, and so would all that it starts.
_AS_FROM_A_TERMINAL = ("env", "--default-signal")
_READY_LIMIT = 60.0
_END_LIMIT = 60.0
_READY = "INNER_RUN_READY"
_TOKEN_PREFIX = "/nonexistent/inner-run-"

_CONFTEST = """
import os

import pytest

from pytest_tmuxlife.containment import directories

directories.parents = lambda: [{root!r}]
HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def ready():
    def ready(word="ready"):
        os.write(int(os.environ["INNER_RUN_READY"]), word.encode() + b"\\n")

    return ready


@pytest.fixture
def stubborn(tmux_server_factory):
    def stubborn():
        server = tmux_server_factory()
        pane = server.new_pane(["sh", HERE + "/stubborn.sh"])
        pane.wait_for_text("armed", timeout=30)
        return server

    return stubborn
"""

# Sleepers inherit what the shell ignores; one of them leaves its session. All are
# there once it is armed: the shell becomes the last of them.
_STUBBORN = """
trap '' HUP TERM
setsid sleep 1000 &
(sleep 1000 &)
echo armed
exec sleep 1000
"""
# The tmux server, and the three of them.
STUBBORN_PROCESSES = 4


def eventually(look: Callable[[], _Found], limit: float) -> _Found:
    """What *look* returns once it is true, or at *limit* seconds at the latest."""
    deadline = Deadline(limit)
    while True:
        found = look()
        if found or deadline.expired:
            return found
        select.select([], [], [], min(0.02, deadline.remaining))


def _owners(root: Path) -> list[Path]:
    """The records of who owns the directories of runs; any may go meanwhile."""
    found: list[Path] = []
    for user in root.iterdir():
        # A glob would stumble over it.
        with suppress(FileNotFoundError, NotADirectoryError):
            found += [run / "owner" for run in user.iterdir()]
    return [record for record in found if record.exists()]


class PytestProcess:
    """A pytest process on a directory of tests; a context manager.

    Args:
        where: An empty directory for its tests.
        source: The test module.
        arguments: For pytest.
        wrapper: Command that pytest is started through.
        environment: Variables that are added.
        root: Its directories' root; None for one of its own.

    At the end of the context every process that bears its token is killed.
    """

    def __init__(
        self,
        where: Path,
        source: str,
        *arguments: str,
        wrapper: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
        root: Path | None = None,
    ) -> None:
        self._cleanup = ExitStack()
        where.mkdir(parents=True, exist_ok=True)
        self.directory_of_tests = where
        self.root = root or self._make_root()
        (where / "conftest.py").write_text(_CONFTEST.format(root=str(self.root)))
        (where / "stubborn.sh").write_text(_STUBBORN)
        (where / "test_inner.py").write_text(source)
        (where / "pytest.ini").write_text("[pytest]\n")
        self._output = where / "output.txt"
        self.token = _TOKEN_PREFIX + os.urandom(8).hex()
        self._ready, theirs = os.pipe()
        self._cleanup.callback(os.close, self._ready)
        try:
            self._process = self._start(where, arguments, wrapper, environment, theirs)
        finally:
            os.close(theirs)
        self.pid = self._process.pid
        # Not reaped yet, even if it has ended.
        self._identity = Identity(self.pid, procfs.start_ticks(self.pid) or 0)
        self._pidfd = os.pidfd_open(self.pid)
        self._cleanup.callback(os.close, self._pidfd)
        self._noted: dict[int, int] = {}
        self._runs: set[str] = set()

    def _make_root(self) -> Path:
        # Short, for the sockets' sake.
        root = tempfile.mkdtemp(prefix="inner-", dir="/tmp")
        self._cleanup.callback(shutil.rmtree, root, ignore_errors=True)
        return Path(root)

    def _start(
        self,
        where: Path,
        arguments: Iterable[str],
        wrapper: Iterable[str],
        environment: Mapping[str, str] | None,
        ready: int,
    ) -> subprocess.Popen[bytes]:
        added = {
            "PATH": f"{os.environ['PATH']}:{self.token}",
            _READY: str(ready),
            **(environment or {}),
        }
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
        with self._output.open("wb") as output:
            return subprocess.Popen(
                [*_AS_FROM_A_TERMINAL, *wrapper, *command, *arguments, "test_inner.py"],
                cwd=where,
                env={**os.environ, **added},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[ready],
                start_new_session=True,
            )

    def __enter__(self) -> PytestProcess:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end_all()
        finally:
            self._cleanup.close()

    def _end_all(self) -> None:
        def all_gone() -> bool:
            self.note_processes()
            for pidfd in self._noted.values():
                kernel.send_signal(pidfd, signal.SIGKILL)
            return not self.living()

        kernel.send_signal(self._pidfd, signal.SIGKILL)
        self._process.wait(_END_LIMIT)
        assert self._process.stdin is not None
        self._process.stdin.close()
        gone = eventually(all_gone, GONE_LIMIT)
        for pidfd in self._noted.values():
            os.close(pidfd)
        self._noted.clear()
        for path in self.cgroups():
            cgroup.remove(path)
        assert gone, "processes of an inner run cannot be killed"

    # -- what it says -------------------------------------------------------

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._output.read_text(errors="replace")

    def wait_ready(self) -> str:
        """The next word that its test gives to ``ready``, once it does."""
        deadline = Deadline(_READY_LIMIT)
        said = b""
        while not said.endswith(b"\n"):
            readable, _, _ = select.select([self._ready], [], [], deadline.remaining)
            data = os.read(self._ready, 1) if readable else b""
            assert data, f"never was ready (said {said!r}):\n{self.output}"
            said += data
        return said.decode().strip()

    def wait_hung_up(self) -> bool:
        """Nobody has the other end of the pipe for ``ready`` any more."""
        poller = select.poll()
        poller.register(self._ready, 0)
        return bool(poller.poll(_READY_LIMIT * 1000))

    def wait(self, limit: float = _END_LIMIT) -> int:
        """Its exit status, or minus the signal that ended it."""
        assert kernel.has_exited(self._pidfd, limit), f"still runs:\n{self.output}"
        return self._process.wait()

    def tell(self, text: str) -> None:
        """Write to the standard input of pytest, for a test under ``-s``."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def has_exited_within(self, seconds: float) -> bool:
        """True if it ends in that time."""
        return kernel.has_exited(self._pidfd, seconds)

    def signal(self, number: int) -> None:
        """Send a signal to pytest itself."""
        kernel.send_signal(self._pidfd, number)

    @property
    def all_tests_ran(self) -> bool:
        """Every test that was collected has had its outcome printed."""
        collected = re.search(r"collected (\d+) items?", self.output)
        outcomes = set(re.findall(r"::(\w+) (?:PASSED|FAILED|ERROR)", self.output))
        return collected is not None and len(outcomes) == int(collected[1])

    # -- its helpers, from its own records ------------------------------------

    @property
    def directory(self) -> Path:
        """The directory of the run."""
        found = self.find_directory()
        assert found is not None, f"no directory:\n{self.output}"
        return found

    def find_directory(self) -> Path | None:
        """The directory of the run, if it has one now."""
        return self.find_directory_of(self._identity)

    def find_directory_of(self, owner: Identity) -> Path | None:
        """That of any process of the run, which has a reaper of its own.

        The processes of a run that is split, and its workers, are such.
        """
        found = None
        for record in _owners(self.root):
            self._runs.add(record.parent.name)
            if Identity.parse(read_record(str(record)).get("owner", "")) == owner:
                found = record.parent
        return found

    @property
    def reaper(self) -> Identity:
        """Its reaper."""
        return _identity(read_record(str(self.directory / "owner"))["reaper"])

    @property
    def supervisors(self) -> list[Identity]:
        """Its supervisors, oldest first."""
        return self._of_servers("supervisor")

    @property
    def servers(self) -> list[Identity]:
        """Its tmux servers, oldest first."""
        return self._of_servers("server")

    def _of_servers(self, name: str) -> list[Identity]:
        return [_identity(record[name]) for record in self._server_records()]

    def _server_records(self) -> list[dict[str, str]]:
        paths = self.directory.glob("*/record")
        return [
            read_record(str(path))
            for path in sorted(paths, key=lambda path: int(path.parent.name))
        ]

    def find_helpers(self) -> list[Identity]:
        """Reaper and supervisors that have signed by now; the reaper is first."""
        directory = self.find_directory()
        if directory is None:
            return []
        owner = read_record(str(directory / "owner"))
        texts = [owner.get("reaper", "")]
        texts += [record.get("supervisor", "") for record in self._server_records()]
        found = [Identity.parse(text) for text in texts]
        return [helper for helper in found if helper is not None]

    # -- what is left of it ---------------------------------------------------

    def note_processes(self) -> int:
        """Open a pidfd of everything of the run; return how many there are."""
        self.find_directory()
        pids = [pid for pid in procfs.all_pids() if self._bears_token(pid)]
        for pid in [
            *pids,
            *(low for top in pids for low, _ in procfs.descendants(top)),
        ]:
            pidfd = None if pid in self._noted else kernel.open_pidfd(pid)
            if pidfd is not None:
                self._noted[pid] = pidfd
        return len(self._noted)

    def _bears_token(self, pid: int) -> bool:
        token = self.token.rpartition("/")[2].encode()
        return any(
            token in (procfs.read_bytes(f"/proc/{pid}/{name}") or b"")
            for name in ("environ", "cmdline")
        )

    def living(self, besides: Iterable[int] = ()) -> list[str]:
        """The processes of the run that have not exited, but for some pids."""
        self.note_processes()
        return [
            f"{pid} {' '.join(procfs.command_line(pid))[:120]}"
            for pid, pidfd in self._noted.items()
            if pid not in besides and not kernel.has_exited(pidfd)
        ]

    def leftovers(self, besides: Iterable[int] = ()) -> list[str]:
        """Processes, sockets, directories and cgroups that are there now."""
        sockets = (procfs.read_bytes("/proc/net/unix") or b"").decode(errors="replace")
        return [
            *self.living(besides),
            *(line for line in sockets.splitlines() if str(self.root) in line),
            # os.walk does not mind what vanishes meanwhile.
            *(
                f"{top}/{name}"
                for top, low, files in os.walk(self.root)
                for name in low + files
            ),
            *filter(os.path.exists, self.cgroups()),
        ]

    def cgroups(self) -> list[str]:
        """Where the cgroup of the run is, if it could make one."""
        home, _ = cgroup.find_home()
        return [cgroup.of_run(home, run) for run in self._runs if home]

    def assert_nothing_left(self, besides: Iterable[int] = ()) -> None:
        """Within the promised limit neither process, socket, directory nor cgroup."""
        kept = set(besides)
        eventually(lambda: not self.leftovers(kept), GONE_LIMIT)
        left = self.leftovers(kept)
        assert not left, "\n".join(["left behind:", *left, self.output])


def _identity(text: str) -> Identity:
    found = Identity.parse(text)
    assert found is not None, text
    return found


def kill(process: Identity, number: int = signal.SIGKILL) -> bool:
    """Send a signal to exactly this process; False if it is gone."""
    pidfd = process.open()
    if pidfd is None:
        return False
    try:
        return kernel.send_signal(pidfd, number)
    finally:
        os.close(pidfd)


def kill_at_once(processes: Iterable[Identity]) -> int:
    """Stop all, then kill them, so that none sees another die; how many it were."""
    stopped = [process for process in processes if kill(process, signal.SIGSTOP)]
    return sum(kill(process) for process in stopped)
