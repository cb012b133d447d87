"""The marker: an environment variable that names the run and its tmux server.

Runs in the helpers too. A program can shed it, and one that an older daemon
starts has it only if that copies the environment of who asked. The scan reads
every process of this user, so it is made only when something has leaked, and
at the end of the run.

Source: environ(7), proc_pid_environ(5): as it was at exec.
"""

from __future__ import annotations

import os

from pytest_tmuxlife.containment import kernel, procfs

MARK = "TMUXLIFE_MARK"
_ENTRY = MARK.encode() + b"="


def mark_of(pid: int) -> str:
    """The mark that *pid* was started with, or ""."""
    room = procfs.environment_bytes(pid)
    if not room or _ENTRY not in room:
        return ""
    for entry in room.split(b"\0"):
        if entry.startswith(_ENTRY):
            return entry[len(_ENTRY) :].decode("utf-8", "surrogateescape")
    return ""


def bears(pid: int, mark: str) -> bool:
    """It bears *mark*: that of one server, or the id of a run for any of its."""
    found = mark_of(pid)
    return bool(found) and mark in (found, found.rpartition("-")[0])


def is_held(pid: int, root: int, mark: str) -> bool:
    """*pid*, held by a pidfd, is below *root* or bears *mark*."""
    return procfs.is_below(pid, root) or bears(pid, mark)


def find(mark: str) -> list[int]:
    """Pids of all that bear *mark* now; see `bears`."""
    return [pid for pid in procfs.all_pids() if bears(pid, mark)]


def open_marked(mark: str) -> dict[int, int]:
    """Pidfds, by pid, of all that bear *mark*; the caller closes them."""
    opened = {}
    for pid in find(mark):
        pidfd = kernel.open_pidfd(pid)
        if pidfd is None:
            continue
        # Looked at again: the pid may have changed hands before it was open.
        if bears(pid, mark):
            opened[pid] = pidfd
        else:
            os.close(pidfd)
    return opened
