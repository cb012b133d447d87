"""What a run left whose pytest and helpers were all killed at once.

Only what a dead owner's own record names is touched: its tmux servers with
all below them, and processes that bear its mark. Whatever cannot be proven
dead counts as alive.
"""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_tmuxlife.containment import cgroup, directories, kernel, lineage, procfs
from pytest_tmuxlife.containment.files import (
    read_record,
    remove_if_empty,
    remove_tree,
)
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.marks import open_marked

_TERM_GRACE = 0.3
_KILL_LIMIT = 2.0
# What supervisors take to end what they hold, once the reaper is gone.
_SUPERVISORS_LIMIT = 2.5
# Seconds after which a run's directory without an owner is nobody's.
_UNOWNED_LIMIT = 3600.0
_CGROUP_LIMIT = 0.5
# Seconds after which an empty cgroup is nobody's.
_EMPTY_LIMIT = 60.0
_LOCK = "sweep.lock"


@dataclass(frozen=True, slots=True)
class Swept:
    """What was removed of one dead run.

    Attributes:
        run_directory: Its directory, gone now.
        owner: Pid that its pytest had.
        processes: How many processes were ended.
    """

    run_directory: str
    owner: int
    processes: int


def sweep(candidates: Iterable[str] | None = None) -> list[Swept]:
    """End and remove what dead runs of this user left.

    Costs a listing of a directory where there is nothing to do. Two runs
    that start together do not sweep each other, nor the same thing twice.

    Args:
        candidates: Directories to look in, instead of those of a run.
    """
    swept = []
    for root in directories.roots(candidates):
        if directories.why_unsafe_root(root) is not None or not os.path.isdir(root):
            continue
        try:
            dead = [entry.path for entry in os.scandir(root) if _is_dead(entry.path)]
        except FileNotFoundError:
            # The last run in it has just gone, and the root with it.
            continue
        if dead:
            found = [_sweep_locked(run) for run in dead]
            swept += [one for one in found if one is not None]
            remove_if_empty(root)
    _remove_empty_cgroups(candidates)
    return swept


def _remove_empty_cgroups(candidates: Iterable[str] | None) -> None:
    """Remove cgroups whose run has no directory any more, if nothing is in them."""
    home, _ = cgroup.find_home()
    for run_id, path in cgroup.runs_in(home).items() if home else ():
        roots = directories.roots(candidates)
        if any(os.path.exists(f"{root}/{run_id}") for root in roots):
            continue
        # That of a run with other roots is empty while it starts, too.
        try:
            age = time.time() - os.stat(path).st_mtime
        except FileNotFoundError:
            continue
        if age > _EMPTY_LIMIT:
            cgroup.remove(path)


def finish_run(run: str) -> None:
    """End and remove what is left of a run of this process itself.

    Its reaper is gone; supervisors that live are given the time to end what
    they hold.
    """
    deadline = time.monotonic() + _SUPERVISORS_LIMIT
    for helper in _supervisors(run):
        pidfd = helper.open() if helper is not None else None
        if pidfd is not None:
            kernel.has_exited(pidfd, max(0.0, deadline - time.monotonic()))
            os.close(pidfd)
    _sweep_run(run)
    remove_if_empty(os.path.dirname(run))


def _sweep_locked(run: str) -> Swept | None:
    from filelock import FileLock, Timeout

    # In the run's own directory: it goes with that.
    lock = FileLock(f"{run}/{_LOCK}", timeout=0)
    # The lock makes what is missing of its path: another run may have removed
    # it all, and what is made anew must not be open to others.
    umask = os.umask(0o077)
    try:
        lock.acquire()
    except (Timeout, FileNotFoundError):
        # Another run is at it, or has just been.
        return None
    finally:
        os.umask(umask)
    try:
        if os.listdir(run) != [_LOCK]:
            return _sweep_run(run)
        remove_tree(run)
        return None
    except FileNotFoundError:
        return None
    finally:
        lock.release()


def _is_dead(run: str) -> bool:
    """True if the owner and all helpers of the run are proven dead."""
    owner = read_record(run + "/owner")
    if not owner:
        return _is_old(run)
    if owner.get("namespace") != procfs.pid_namespace():
        return False
    if owner.get("boot") != procfs.boot_id():
        return True
    identities = [Identity.parse(owner.get(name, "")) for name in ("owner", "reaper")]
    identities += _supervisors(run)
    return all(
        identity is not None and not identity.is_alive for identity in identities
    )


def _is_old(run: str) -> bool:
    # The record is written a moment after the directory is made.
    try:
        made = os.lstat(run)
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(made.st_mode) and time.time() - made.st_mtime > _UNOWNED_LIMIT


def _supervisors(run: str) -> list[Identity | None]:
    return [
        Identity.parse(record.get("supervisor", "")) for record in _server_records(run)
    ]


def _server_records(run: str) -> list[dict[str, str]]:
    try:
        entries = sorted(entry.path for entry in os.scandir(run) if entry.is_dir())
    except FileNotFoundError:
        return []
    records = [read_record(path + "/record") for path in entries]
    return [record for record in records if record]


def _sweep_run(run: str) -> Swept:
    owner = read_record(run + "/owner")
    run_id = os.path.basename(run)
    pidfds: dict[int, int] = {}
    run_cgroup = ""
    if owner.get("boot") == procfs.boot_id():
        for record in _server_records(run):
            server = Identity.parse(record.get("server", ""))
            if server is not None and (pidfd := server.open()) is not None:
                _add(pidfds, {server.pid: pidfd})
        _add(pidfds, open_marked(run_id))
        if cgroup.is_of_run(owner.get("cgroup", ""), run_id):
            run_cgroup = owner["cgroup"]
            _add(pidfds, cgroup.open_members(run_cgroup))
    ended = _end(pidfds, run_cgroup)
    if run_cgroup:
        cgroup.remove(run_cgroup, _CGROUP_LIMIT)
    # Whoever takes the lock after this one is to find nothing to sweep.
    remove_tree(run, last=_LOCK)
    identity = Identity.parse(owner.get("owner", ""))
    return Swept(run, identity.pid if identity else 0, ended)


def _add(pidfds: dict[int, int], more: dict[int, int]) -> None:
    """Put *more* in, closing those whose process is there already."""
    for pid, pidfd in more.items():
        if pidfds.setdefault(pid, pidfd) != pidfd:
            os.close(pidfd)


def _end(pidfds: dict[int, int], run_cgroup: str) -> int:
    """End what the pidfds name, and all below; return how many have ended.

    Closes the pidfds.

    Args:
        pidfds: By pid.
        run_cgroup: Of which nothing may stay; "" without one.
    """
    try:
        # Noted before the parents go: an orphan's way back to us would be lost.
        pidfds.update(lineage.open_descendants(0, also=list(pidfds)))
        _signal(pidfds.values(), signal.SIGTERM)
        _signal(pidfds.values(), signal.SIGCONT)
        _wait(pidfds, _TERM_GRACE)
        deadline = time.monotonic() + _KILL_LIMIT
        if run_cgroup:
            cgroup.kill(run_cgroup)
        while time.monotonic() < deadline:
            alive = _alive(pidfds)
            fresh = dict(lineage.open_descendants(0, pidfds, also=alive))
            pidfds.update(fresh)
            if not alive and not fresh:
                break
            _signal([pidfds[pid] for pid in (*alive, *fresh)], signal.SIGKILL)
            _wait(pidfds, 0.05)
        return len(pidfds) - len(_alive(pidfds))
    finally:
        for pidfd in pidfds.values():
            os.close(pidfd)


def _alive(pidfds: dict[int, int]) -> list[int]:
    return [pid for pid, pidfd in pidfds.items() if not kernel.has_exited(pidfd)]


def _signal(pidfds: Iterable[int], number: int) -> None:
    for pidfd in pidfds:
        try:
            kernel.send_signal(pidfd, number)
        except PermissionError:
            # Another user's: it stays.
            continue


def _wait(pidfds: dict[int, int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for pidfd in pidfds.values():
        kernel.has_exited(pidfd, max(0.0, deadline - time.monotonic()))
