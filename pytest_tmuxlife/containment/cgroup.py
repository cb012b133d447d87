"""A cgroup (version 2) for each supervisor, where one can be made.

What is born in a cgroup stays there until somebody moves it, whoever its
parent becomes: so it also holds what lineage has lost, and `cgroup.kill` ends
it all without a race. Runs in the helpers too. It needs a cgroup of our own
that this user may divide: root's, or one that was delegated.

Source: cgroups(7); Documentation/admin-guide/cgroup-v2.rst of the kernel.
"""

from __future__ import annotations

import errno
import os
import time

from pytest_tmuxlife.containment import kernel, procfs

_PREFIX = "tmuxlife-"
_MAKE_ATTEMPTS = 5
_PAUSE = 0.005
# Links of a directory without any below it: its name, and its own ".".
_LINKS_OF_LEAF = 2


def find_home() -> tuple[str, str]:
    """Directory of the cgroup that we are in, and why it cannot be divided.

    One of the two is "". Costs a few reads; nothing is made.
    """
    own = own_name()
    if own is None:
        return "", "this kernel has no cgroup2"
    reasons = []
    for root, mount, options in _mounts():
        directory, reason = _directory(own, root, mount, options)
        if not reason:
            return directory, ""
        reasons.append(reason)
    return "", reasons[0] if reasons else "no cgroup2 is mounted"


def own_name() -> str | None:
    """Name of the cgroup that we are in, from the root of its hierarchy.

    Source: cgroups(7), /proc/PID/cgroup.
    """
    for line in _lines("/proc/self/cgroup"):
        if line.startswith("0::"):
            return line[3:]
    return None


def _lines(path: str) -> list[str]:
    return os.fsdecode(procfs.read_bytes(path) or b"").splitlines()


def _mounts() -> list[tuple[str, str, list[str]]]:
    """(root, mount point, options) of each cgroup2 that is mounted.

    Beside version 1 it stands in /sys/fs/cgroup/unified, alone in
    /sys/fs/cgroup. Source: proc_pid_mountinfo(5).
    """
    found = []
    for line in _lines("/proc/self/mountinfo"):
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            words = [_unescaped(word) for word in fields.split(" ")]
            found.append((words[3], words[4], words[5].split(",")))
    return found


def _unescaped(word: str) -> str:
    for char in " \t\n\\":
        word = word.replace(f"\\{ord(char):03o}", char)
    return word


def _directory(own: str, root: str, mount: str, options: list[str]) -> tuple[str, str]:
    """Where the cgroup *own* stands in a mount, and why it is of no use."""
    if "ro" in options:
        return "", f"{mount} is read-only"
    below = os.path.relpath(own, root)
    if below.startswith("..") or own.startswith("/.."):
        return "", f"our cgroup {own} is not in {mount}"
    directory = os.path.normpath(os.path.join(mount, below))
    for path in (directory, f"{directory}/cgroup.procs"):
        if not os.access(path, os.W_OK):
            return "", f"{directory} is not writable"
    # The root has no type, and is never threaded.
    kind = "".join(_lines(f"{directory}/cgroup.type"))
    if kind not in ("", "domain"):
        return "", f"{directory} is of type {kind}"
    return directory, ""


def of_run(home: str, run_id: str) -> str:
    """Directory of a run's cgroup, in that of its pytest."""
    return f"{home}/{_PREFIX}{run_id}"


def is_of_run(path: str, run_id: str) -> bool:
    """*path* is the cgroup of that run, by its shape, and is there."""
    return (
        os.path.basename(path) == _PREFIX + run_id
        and os.path.normpath(path) == path
        and any(path.startswith(mount + "/") for _, mount, _ in _mounts())
        and os.path.exists(f"{path}/cgroup.procs")
    )


def runs_in(home: str) -> dict[str, str]:
    """The cgroups of runs in *home*, by the run's id."""
    try:
        entries = list(os.scandir(home))
    except OSError:
        return {}
    return {
        entry.name.removeprefix(_PREFIX): entry.path
        for entry in entries
        if entry.name.startswith(_PREFIX) and entry.is_dir()
    }


def enter(path: str) -> bool:
    """Make the cgroup *path* and move this process there; False if refused.

    The move waits for the kernel's readers (about 10 ms), so it is made once
    in the life of a supervisor, and all its children are born there.
    """
    for _ in range(_MAKE_ATTEMPTS):
        try:
            os.makedirs(path, exist_ok=True)
            _write(f"{path}/cgroup.procs", b"0")
        except FileNotFoundError:
            # Somebody has swept it away as empty.
            continue
        except OSError:
            remove(path)
            return False
        return True
    return False


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def leave(path: str, home: str) -> None:
    """Move this process from the cgroup *path* back, and remove that."""
    try:
        _write(f"{home}/cgroup.procs", b"0")
    except OSError:
        # It stays behind, empty once this process has exited.
        return
    remove(path)


def members(path: str) -> list[int]:
    """Pids in the cgroup and in those below it; no zombies.

    Costs one read of a file while there is none below.
    """
    content = procfs.read_bytes(f"{path}/cgroup.procs") or b""
    # 0: of another PID namespace.
    pids = [pid for pid in map(int, content.split()) if pid]
    return pids + [pid for below in _below(path) for pid in members(below)]


def _below(path: str) -> list[str]:
    try:
        if os.stat(path).st_nlink == _LINKS_OF_LEAF:
            return []
        return [entry.path for entry in os.scandir(path) if entry.is_dir()]
    except FileNotFoundError:
        return []


def open_members(path: str) -> dict[int, int]:
    """Pidfds, by pid, of the `members`; the caller closes them."""
    opened = {}
    for pid in members(path):
        pidfd = kernel.open_pidfd(pid)
        if pidfd is not None:
            opened[pid] = pidfd
    # Looked at again: a pid may have changed hands before it was open.
    still = set(members(path))
    for pid in [pid for pid in opened if pid not in still]:
        os.close(opened.pop(pid))
    return opened


def kill(path: str) -> bool:
    """KILL to all in it and below, whatever forks meanwhile; False if it cannot.

    Source: cgroup-v2.rst, cgroup.kill, Linux 5.14.
    """
    try:
        _write(f"{path}/cgroup.kill", b"1")
    except OSError:
        return False
    return True


def remove_if_empty(path: str) -> None:
    """Remove a cgroup that others may be using."""
    try:
        os.rmdir(path)
    except OSError:
        return


def remove(path: str, limit: float = 0.0) -> bool:
    """Remove the cgroup with those below it; True if it is gone.

    Args:
        path: Of a cgroup of ours.
        limit: Seconds in which what was killed in it may go.
    """
    deadline = time.monotonic() + limit
    while True:
        for below in _below(path):
            remove(below)
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() >= deadline:
                return False
        else:
            return True
        time.sleep(_PAUSE)
