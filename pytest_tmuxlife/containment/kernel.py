"""The few system calls that Python does not wrap, and pidfds.

Runs in the helpers too, so it imports the standard library only, and
little of that.
"""

from __future__ import annotations

import os
import select
import signal

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
# Also those that were cloned without a signal for their parent.
_WALL = 0x40000000


def _prctl(option: int, argument: int | bytes) -> int:
    # Costs 10 ms: pytest's side comes here only when it splits off its supervisor.
    import ctypes

    return int(ctypes.CDLL(None).prctl(option, argument, 0, 0, 0))


def become_subreaper() -> bool:
    """Have orphans below this process re-parented to it, not to init.

    Returns False where the kernel refuses. Not inherited by children.

    Source: PR_SET_CHILD_SUBREAPER(2const), Linux 3.4.
    """
    return _prctl(PR_SET_CHILD_SUBREAPER, 1) == 0


def set_name(name: str) -> None:
    """Set the name that ps shows for this process, at most 15 bytes."""
    _prctl(PR_SET_NAME, name.encode()[:15])


def set_parent_death_signal(number: int) -> None:
    """Have *number* sent to this process when its parent dies.

    The parent may be dead already: look at `os.getppid` after this.

    Source: PR_SET_PDEATHSIG(2const).
    """
    _prctl(PR_SET_PDEATHSIG, number)


def forbid_core_dump() -> None:
    """Leave no core file, nor a report of a crash, of this process.

    Source: PR_SET_DUMPABLE(2const).
    """
    _prctl(PR_SET_DUMPABLE, 0)


def has_children() -> bool:
    """This process has children, be they zombies. Nobody is reaped.

    Source: waitid(2), WNOWAIT; wait(2), __WALL, Linux 4.7.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | _WALL)
    except ChildProcessError:
        return False
    return True


def open_pidfd(pid: int) -> int | None:
    """A pidfd of *pid*, closed at exec; None if there is no such process.

    Raises:
        OSError: The kernel or a sandbox does not let us have one.

    Source: pidfd_open(2), Linux 5.3.
    """
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def send_signal(pidfd: int, number: int) -> bool:
    """Send a signal by pidfd. False if the process is gone already.

    Raises:
        PermissionError: It belongs to another user.
    """
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    return True


def wait_for_wakeup(wakeup: int, seconds: float) -> None:
    """Wait so long, or until a signal has written to *wakeup*; takes that in."""
    poller = select.poll()
    poller.register(wakeup, select.POLLIN)
    if poller.poll(max(1, int(seconds * 1000))):
        os.read(wakeup, 4096)


def has_exited(pidfd: int, timeout: float = 0.0) -> bool:
    """True if the process of *pidfd* exits within *timeout* seconds."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(max(0, round(timeout * 1000))))
