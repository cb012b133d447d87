"""The run's supervisor: adopts and reaps the orphans of what pytest starts."""

from __future__ import annotations

import os
import signal
import socket
from typing import NoReturn

from pytest_tmuxlife.containment import kernel
from pytest_tmuxlife.containment.process_roles import ALL_SIGNALS, become, leave, say
from pytest_tmuxlife.containment.remains import GRACE, SHORT_GRACE, Remains


class Supervisor:
    """Its event loop, and what it knows.

    Args:
        pytest: Pid of its child, pytest.
        link: To the outer process.
        outer: Pid of the outer process.
    """

    def __init__(self, pytest: int, link: socket.socket, outer: int) -> None:
        self._pytest = pytest
        self._link = link
        self._outer = outer
        self._outer_pidfd = kernel.open_pidfd(outer)
        self._remains = Remains(pytest)
        # A zombie at the worst: nobody but us reaps it.
        pidfd = os.pidfd_open(pytest)
        socket.send_fds(link, [str(pytest).encode()], [pidfd])
        os.close(pidfd)

    def run(self) -> NoReturn:
        """Reap until pytest or the outer process has ended; then end the rest."""
        while True:
            self._remains.reap()
            status = self._remains.statuses.pop(self._pytest, None)
            if status is not None and os.WIFSTOPPED(status):
                self.tell("stopped", os.WSTOPSIG(status))
            elif status is not None:
                self.end(status)
            if os.getppid() != self._outer:
                # It was killed: nobody waits for pytest any more.
                self._remains.end(SHORT_GRACE)
                leave(0)
            signal.sigwaitinfo(ALL_SIGNALS)

    def tell(self, word: str, value: int) -> None:
        """Tell the outer process, which looks when a child of it changes."""
        try:
            self._link.send(f"{word} {value}".encode())
        except ConnectionError:
            return
        if self._outer_pidfd is not None:
            kernel.send_signal(self._outer_pidfd, signal.SIGCHLD)

    def end(self, status: int) -> NoReturn:
        """End what pytest left, say so if pytest could not, and end."""
        self.tell("ended", status)
        was_killed = os.WIFSIGNALED(status)
        left = self._remains.end(SHORT_GRACE if was_killed else GRACE)
        if left and was_killed:
            number = signal.Signals(os.WTERMSIG(status)).name
            lines = [f"pytest-tmuxlife: {number} ended pytest, and this with it:"]
            say("\n".join([*lines, *left, ""]))
        leave(0)


def be_run_supervisor(pytest: int, link: socket.socket, outer: int) -> NoReturn:
    """Be it until all of the run has ended.

    Args:
        pytest: Pid of pytest, a child.
        link: To the outer process.
        outer: Pid of the outer process, the parent.
    """

    def role() -> NoReturn:
        # Out of reach of what is sent to the job as a whole.
        os.setsid()
        kernel.set_name("tmuxlife-run")
        # One that a stopped process takes in too; `getppid` says what it means.
        kernel.set_parent_death_signal(signal.SIGCONT)
        Supervisor(pytest, link, outer).run()

    become(role, {link.fileno()}, speaks=True)
