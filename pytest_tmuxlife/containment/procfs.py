"""Reading /proc, without judging what is read.

Runs in the helpers too. Each reader returns None, or nothing, for a process
that is gone or not ours to look at. Text is decoded with surrogateescape:
command lines and paths are bytes to the kernel.

Source: proc_pid_stat(5), proc_pid_status(5), proc_tid_children(5).
"""

from __future__ import annotations

import os

# Kernels without CONFIG_PROC_CHILDREN do not.
_SHOWS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError, NotADirectoryError)
_CHUNK = 16384
_SHORT = 2048


def read_bytes(path: str) -> bytes | None:
    """The file's content; None if it is gone or may not be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except _GONE:
        return None
    try:
        content = os.read(fd, _CHUNK)
        # What fits into one page comes whole: no second read for the end.
        while content and len(content) >= _SHORT:
            more = os.read(fd, _CHUNK)
            if not more:
                break
            content += more
        return content
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(fd)


# include/linux/sched.h
_PF_EXITING = 0x4
_PF_FORKNOEXEC = 0x40


class Stat:
    """One line of /proc/PID/stat, the fields that we use."""

    __slots__ = (
        "comm",
        "flags",
        "foreground_group",
        "pgid",
        "pid",
        "ppid",
        "sid",
        "start_ticks",
        "state",
        "threads",
        "tty",
    )

    def __init__(self, line: bytes) -> None:
        # The name may hold blanks and parentheses: the last ")" ends it.
        opening, closing = line.index(b"("), line.rindex(b")")
        fields = line[closing + 2 :].split()
        self.pid = int(line[:opening])
        self.comm = line[opening + 1 : closing].decode("utf-8", "surrogateescape")
        self.state = fields[0].decode()
        self.ppid = int(fields[1])
        self.pgid = int(fields[2])
        self.sid = int(fields[3])
        self.tty = int(fields[4])
        self.foreground_group = int(fields[5])
        self.flags = int(fields[6])
        self.threads = int(fields[17])
        self.start_ticks = int(fields[19])

    @property
    def is_zombie(self) -> bool:
        """It has exited with all its threads, and nobody has waited for it."""
        return self.state == "Z" and self.threads < 2

    @property
    def has_lost_its_first_thread(self) -> bool:
        """Other threads go on: it looks like a zombie and lives."""
        return self.state == "Z" and self.threads > 1

    @property
    def has_not_execed(self) -> bool:
        """It still runs the program that its parent ran at the fork."""
        return bool(self.flags & _PF_FORKNOEXEC)

    @property
    def is_exiting(self) -> bool:
        """This thread is on its way out; the first one, if it is a process."""
        return bool(self.flags & _PF_EXITING)


def stat(pid: int) -> Stat | None:
    """What /proc/PID/stat says, or None."""
    line = read_bytes(f"/proc/{pid}/stat")
    return Stat(line) if line else None


def face(pid: int) -> str:
    """The directory of /proc that shows what *pid* is: a living thread's.

    A first thread that has exited shows no memory, files or directory any
    more, though the others go on with all of it.
    """
    now = stat(pid)
    if now is not None and now.has_lost_its_first_thread:
        for name in _listed(f"/proc/{pid}/task"):
            thread = f"/proc/{pid}/task/{name}"
            line = read_bytes(f"{thread}/stat")
            if line and not Stat(line).is_exiting:
                return thread
    return f"/proc/{pid}"


def state(now: Stat) -> str:
    """One letter; of a living thread, if the first one has exited."""
    if not now.has_lost_its_first_thread:
        return now.state
    line = read_bytes(face(now.pid) + "/stat")
    return Stat(line).state if line else now.state


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except _GONE:
        return []


def start_ticks(pid: int) -> int | None:
    """Start time in clock ticks since boot: with the pid, a weak identity."""
    found = stat(pid)
    return found.start_ticks if found else None


def status(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status by name; empty if it is gone."""
    content = read_bytes(f"/proc/{pid}/status")
    if content is None:
        return {}
    found = _pairs(content)
    if found.get("State", "").startswith("Z") and found.get("Threads") != "1":
        # A first thread that has exited blocks all signals (glibc 2.42); the mask of
        # one that goes on is what counts.
        living = _pairs(read_bytes(f"{face(pid)}/status") or b"")
        found["SigBlk"] = living.get("SigBlk", "0")
    return found


def _pairs(content: bytes) -> dict[str, str]:
    pairs = (
        line.split(":\t", 1) for line in content.decode("utf-8", "replace").split("\n")
    )
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def _split_zero(content: bytes | None) -> list[str]:
    if not content:
        return []
    return [
        part.decode("utf-8", "surrogateescape")
        for part in content.rstrip(b"\0").split(b"\0")
    ]


def _read(pid: int, name: str) -> bytes | None:
    content = read_bytes(f"/proc/{pid}/{name}")
    # Nothing is what a first thread that has exited shows.
    return read_bytes(f"{face(pid)}/{name}") if content == b"" else content


def command_line(pid: int) -> list[str]:
    """Its arguments; empty for a zombie."""
    return _split_zero(_read(pid, "cmdline"))


def environment_bytes(pid: int) -> bytes | None:
    """The room of the environment that it was started with; None if it is gone.

    A program may have written a title over it.
    """
    return _read(pid, "environ")


def environment(pid: int) -> dict[str, str]:
    """The environment it was started with."""
    entries = _split_zero(environment_bytes(pid))
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def bytes_read(pid: int) -> int:
    """What it has read(2) so far, from whatever; 0 if that is not ours to see.

    Of a tmux server: from terminals. Clients send to it by sendmsg(2), not counted.

    Source: proc_pid_io(5), rchar.
    """
    return _counted(pid, 0)


def bytes_written(pid: int) -> int:
    """What it has written so far, by write(2); 0 if that is not ours to see.

    Source: proc_pid_io(5), wchar.
    """
    return _counted(pid, 1)


def _counted(pid: int, line: int) -> int:
    content = _read(pid, "io")
    return int(content.split(b"\n", 2)[line].split()[1]) if content else 0


def link(path: str) -> str | None:
    """Where a link of /proc points, or None."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def children(pid: int, threads: int = 0) -> list[int]:
    """Pids of the living and unreaped children of all its threads.

    Args:
        pid: The process.
        threads: How many it has, if that is known: one need not be listed.
    """
    names = [str(pid)] if threads == 1 else _listed(f"/proc/{pid}/task")
    pids: list[int] = []
    for name in names:
        line = read_bytes(f"/proc/{pid}/task/{name}/children")
        if line:
            pids += [int(word) for word in line.split()]
    return pids if pids or _SHOWS_CHILDREN else _children_by_scan(pid)


def _children_by_scan(parent: int) -> list[int]:
    return [pid for pid in all_pids() if (s := stat(pid)) and s.ppid == parent]


def is_below(pid: int, root: int) -> bool:
    """*root* is an ancestor of *pid*, which the caller holds by a pidfd."""
    return root in ancestors(pid)


def ancestors(pid: int) -> list[int]:
    """Its parent, that one's parent, and so on up to 1, or 0 of a namespace.

    Cut short where one of them exits meanwhile.
    """
    found: list[int] = []
    while pid > 1 and (now := stat(pid)) is not None:
        pid = now.ppid
        found.append(pid)
    return found


def all_pids() -> list[int]:
    """Every process that /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(root: int) -> list[tuple[int, int]]:
    """(pid, parent) of everything below *root*, parents before children."""
    found: list[tuple[int, int]] = []
    seen = {root}
    queue = [root]
    for parent in queue:
        for pid in children(parent):
            if pid not in seen:
                seen.add(pid)
                found.append((pid, parent))
                queue.append(pid)
    return found


def boot_id() -> str:
    """Changes with each boot, so that a pid of an earlier one is not believed."""
    content = read_bytes("/proc/sys/kernel/random/boot_id")
    return content.decode().strip() if content else ""


def pid_namespace() -> str:
    """Names the PID namespace in which our pids have a meaning."""
    return link("/proc/self/ns/pid") or ""
