"""Processes as values: one of them, and a tree of them as it stood."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_tmuxlife.containment import procfs

_TICKS = os.sysconf("SC_CLK_TCK")
# Start times are rounded down to it, in seconds.
TICK = 1 / _TICKS
# A chain of forks would go on for ever.
_ROUNDS = 4
_PTS_MAJORS = range(136, 144)


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process at one moment.

    Attributes:
        pid: Its number.
        ppid: Its parent's at that moment; for an orphan, its supervisor's.
        pgid: Its process group.
        sid: Its Unix session.
        name: The kernel's short name, at most 15 bytes.
        command: Its arguments; empty for a zombie.
        state: One letter: R, S, D, T (stopped), t (traced), Z (zombie).
        terminal: Its controlling terminal, None without one.
        start_ticks: Start in clock ticks since boot; with the pid, who it is.
        age: Seconds since its start.
    """

    pid: int
    ppid: int
    pgid: int
    sid: int
    name: str
    command: tuple[str, ...]
    state: str
    terminal: str | None
    start_ticks: int
    age: float

    @property
    def started_at(self) -> float:
        """Its start in seconds of the boot clock, rounded down to a tick."""
        return self.start_ticks / _TICKS

    @property
    def is_zombie(self) -> bool:
        """Exited, and not waited for by its parent."""
        return self.state == "Z"

    @property
    def is_stopped(self) -> bool:
        """Stopped by a signal or a tracer."""
        return self.state in ("T", "t")

    @property
    def label(self) -> str:
        """A short name to show: for a script its own, not the interpreter's."""
        if not _is_interpreter(self.name) or not self.command:
            return self.name
        return script_name(self.command) or os.path.basename(self.command[0])

    @property
    def command_line(self) -> str:
        """The arguments as one line; the name in brackets without any."""
        return " ".join(self.command) if self.command else f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """Everything below a supervisor at one moment.

    Attributes:
        root: Pid of the supervisor, which is not part of the tree.
        processes: By pid, parents before children.
        noted_at: Boot-clock seconds of the look.
    """

    root: int
    processes: Mapping[int, ProcessInfo] = field(default_factory=dict)
    noted_at: float = 0.0

    def __contains__(self, process: object) -> bool:
        if not isinstance(process, ProcessInfo):
            return False
        noted = self.processes.get(process.pid)
        return noted is not None and noted.start_ticks == process.start_ticks

    def tops(self) -> Iterator[ProcessInfo]:
        """Those whose parent is not part of it: the server, and orphans."""
        return (i for i in self.processes.values() if i.ppid not in self.processes)

    def children(self, pid: int) -> Iterator[ProcessInfo]:
        """Those whose parent was *pid*."""
        return (info for info in self.processes.values() if info.ppid == pid)

    def below(self, pid: int) -> Iterator[ProcessInfo]:
        """All below *pid*, parents before children."""
        for child in self.children(pid):
            yield child
            yield from self.below(child.pid)


_INTERPRETER = re.compile(
    r"(python|pypy|node|perl|ruby|bash|dash|ksh|zsh|fish|sh)[\d.]*$"
)
# Node calls its first thread so, and the kernel the process by its first thread.
_INTERPRETER_THREADS = ("MainThread", "node-MainThread")
_SCRIPT_ENDINGS = (".py", ".js", ".mjs", ".cjs", ".ts", ".sh", ".rb", ".pl")
_OPTIONS_WITH_VALUE = ("-W", "-X", "-r", "--require", "-o", "--rcfile", "--init-file")


def _is_interpreter(name: str) -> bool:
    return name in _INTERPRETER_THREADS or _INTERPRETER.match(name) is not None


def script_name(command: Sequence[str]) -> str:
    """The script or module that an interpreter's arguments name, or ""."""
    words = iter(command[1:])
    for word in words:
        if word == "-m":
            return next(words, "")
        if word in _OPTIONS_WITH_VALUE:
            next(words, "")
        elif word.startswith("--"):
            continue
        elif word.startswith("-"):
            if "c" in word or "e" in word:
                # What it runs stands in the arguments themselves.
                return ""
        else:
            stem, ending = os.path.splitext(os.path.basename(word))
            return stem if ending in _SCRIPT_ENDINGS else stem + ending
    return ""


def boot_clock() -> float:
    """Seconds since boot, the clock of process start times."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def terminal_name(device: int) -> str | None:
    """Path of a terminal by its device number, as in /proc/PID/stat."""
    if device == 0:
        return None
    major = (device >> 8) & 0xFFF
    minor = (device & 0xFF) | ((device >> 12) & 0xFFF00)
    if major in _PTS_MAJORS:
        return f"/dev/pts/{minor + 256 * (major - _PTS_MAJORS.start)}"
    return f"/dev/tty{minor}" if major == 4 else f"device {major}:{minor}"


def process_info(pid: int) -> ProcessInfo | None:
    """The process *pid* now; None if there is none."""
    now = procfs.stat(pid)
    return None if now is None else _info(now)


def _info(now: procfs.Stat) -> ProcessInfo:
    return ProcessInfo(
        pid=now.pid,
        ppid=now.ppid,
        pgid=now.pgid,
        sid=now.sid,
        name=now.comm,
        command=tuple(procfs.command_line(now.pid)),
        state=procfs.state(now),
        terminal=terminal_name(now.tty),
        start_ticks=now.start_ticks,
        age=max(0.0, boot_clock() - now.start_ticks / _TICKS),
    )


def note_tree(root: int, threads: int = 1, also: Iterable[int] = ()) -> ProcessTree:
    """Everything below *root* now; costs nothing for the host's other processes.

    Args:
        root: A supervisor, which has one thread; or any process.
        threads: How many it has; 0 if that is not known.
        also: Further pids, noted with all below them.
    """
    noted_at = boot_clock()
    found: dict[int, ProcessInfo] = {}
    for _ in range(_ROUNDS):
        # An orphan that moves up during the walk can be missed below its parent:
        # then it stands here in the next round.
        tops = [*procfs.children(root, threads), *also]
        queue = [pid for pid in tops if pid not in found]
        if not queue:
            break
        for pid in queue:
            now = procfs.stat(pid)
            # One that moves up can be met twice, too.
            if now is not None and pid not in found:
                found[pid] = _info(now)
                queue += procfs.children(pid, now.threads)
    return ProcessTree(root, found, noted_at)
