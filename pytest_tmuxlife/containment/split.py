"""Split pytest's process: the one that was there becomes the outer process.

::

    outer process ─┬─ witness
                   └─ run supervisor ── pytest ── all that the tests start

The parent of the outer process (a shell, make, CI) sees what it would see of
pytest: it passes signals on, stops and continues with it, and ends as it
does. The run supervisor is in a Unix session of its own, so what is sent to
the job, SIGKILL too, does not reach it.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys

from pytest_tmuxlife.containment import kernel, procfs
from pytest_tmuxlife.containment.outer_process import be_outer_process, be_witness
from pytest_tmuxlife.containment.process_roles import CRASHED, leave, say
from pytest_tmuxlife.containment.run_supervisor import RunSupervisor
from pytest_tmuxlife.containment.run_supervisor_main import be_run_supervisor

_current: RunSupervisor | None = None


def current() -> RunSupervisor | None:
    """The supervisor that this process, or the one it was forked from, has."""
    return _current


def why_not() -> str | None:
    """Why this process cannot be split now; None if it can."""
    if sys.platform != "linux":
        return f"there is no child subreaper on {sys.platform}"
    if _current is not None:
        return "this process is under the one of an earlier run already"
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        return f"{threads} threads run already, and a fork would go on with one"
    children = procfs.children(os.getpid(), threads=1)
    if children:
        return f"process {children[0]} runs already, and a fork could not wait for it"
    return None


def split() -> RunSupervisor | str:
    """Go on as a child of a new run supervisor; or say why that cannot be.

    Returns in the child only: the process that called this becomes the outer
    process, and leaves when the child has ended, without atexit functions.
    What the child's `os.getpid` says is new.
    """
    global _current
    reason = why_not()
    if reason is not None:
        return reason
    try:
        pidfd = kernel.open_pidfd(os.getpid())
    except OSError as error:
        return f"pidfd_open is refused here ({error.strerror})"
    if pidfd is not None:
        os.close(pidfd)
    if not kernel.become_subreaper():
        return "the kernel refuses a child subreaper"
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    # These came to pytest; all that come from now on are the outer process's.
    early = signal.sigpending()
    try:
        pid = _fork_all(early)
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return f"fork failed ({error.strerror})"
    for number in early:
        signal.raise_signal(number)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _current = RunSupervisor(pid, os.getpid(), secrets.token_hex(4))
    return _current


def _fork_all(early: set[signal.Signals]) -> int:
    """Fork witness, run supervisor and pytest; pid of the second, in the last."""
    outer = os.getpid()
    question, answer = socket.socketpair(type=socket.SOCK_SEQPACKET)
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with question, answer, ours, theirs:
        # First, so that it misses nothing that pytest gets.
        witness = os.fork()
        if witness == 0:
            be_witness(answer, outer)
        answer.close()
        try:
            supervisor = os.fork()
        except OSError:
            question.close()
            os.waitpid(witness, 0)
            raise
        if supervisor:
            be_outer_process(supervisor, ours, witness, question, early)
        supervisor = os.getpid()
        kernel.become_subreaper()
        try:
            pytest = os.fork()
        except OSError as error:
            # It is too late to go on without: the outer process is one already.
            say(f"pytest-tmuxlife: fork failed ({error.strerror})\n")
            leave(CRASHED)
        if pytest:
            be_run_supervisor(pytest, theirs, outer)
    kernel.set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != supervisor:
        os.kill(os.getpid(), signal.SIGKILL)
    return supervisor
