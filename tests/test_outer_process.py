"""What the outer process of a run passes on to pytest, and what not."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest
from runs import eventually

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.outer_process import OuterProcess


class Deaf:
    """A witness that had no signal."""

    def had(self, number: int) -> bool:
        return False


@pytest.fixture
def stopped() -> Iterator[subprocess.Popen[bytes]]:
    """A process that was stopped."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        process.send_signal(signal.SIGSTOP)
        assert eventually(lambda: state(process) == "T", 60)
        yield process
        process.kill()


def state(process: subprocess.Popen[bytes]) -> str | None:
    now = procfs.stat(process.pid)
    return now.state if now is not None else None


def outer_of(process: subprocess.Popen[bytes]) -> OuterProcess:
    outer = object.__new__(OuterProcess)
    outer._witness = Deaf()  # type: ignore[assignment]
    outer._pidfd = os.pidfd_open(process.pid)
    return outer


@pytest.mark.parametrize("is_stopped_since", [False, True])
def test_continue_is_not_passed_on_behind_a_newer_stop(
    stopped: subprocess.Popen[bytes], is_stopped_since: bool
) -> None:
    """C-z right behind fg: the job would go on, and the key be lost."""
    outer = outer_of(stopped)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    try:
        if is_stopped_since:
            # To this thread, the only one that has it blocked.
            signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        outer.pass_on(signal.SIGCONT)
        signal.sigtimedwait({signal.SIGTSTP}, 0)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        os.close(outer._pidfd)
    if is_stopped_since:
        assert state(stopped) == "T"
    else:
        assert eventually(lambda: state(stopped) != "T", 60)
