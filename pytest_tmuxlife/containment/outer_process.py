"""The outer process: what the user has started, and what the shell waits for.

It passes signals on to pytest, stops and continues with it, and ends as it
ends. Signals come to it blocked, one by one.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterable
from typing import NoReturn

from pytest_tmuxlife.containment import kernel, procfs
from pytest_tmuxlife.containment.process_roles import (
    ALL_SIGNALS,
    CRASHED,
    become,
    leave,
)
from pytest_tmuxlife.containment.remains import SHORT_GRACE, Remains

# A signal to a process group reaches its members one after the other.
_MOMENT = 0.02
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
# One that the group has had counts as the same for so long.
_SAME = 1.0
_STOPPED = "Tt"
_WITNESS_LIMIT = 5.0


def be_witness(answer: socket.socket, outer: int) -> NoReturn:
    """Take in every signal of the process group, and say on request which came."""

    def role() -> NoReturn:
        kernel.set_parent_death_signal(signal.SIGKILL)
        while os.getppid() == outer and answer.recv(1):
            answer.send(bytes(_pending()))
        leave(0)

    become(role, {answer.fileno()}, speaks=False)


def _pending() -> list[int]:
    """Take in the signals that are pending; 0 at the end of the list."""
    numbers = []
    while (info := signal.sigtimedwait(ALL_SIGNALS, 0)) is not None:
        numbers.append(info.si_signo)
    return [*numbers, 0]


class Witness:
    """Asks the witness which signals were sent to the whole process group."""

    def __init__(self, pid: int, question: socket.socket) -> None:
        self._pid = pid
        # A zombie at the worst: nobody but us reaps it.
        self._pidfd = os.pidfd_open(pid)
        self._question = question
        self._had: dict[int, float] = {}

    def had(self, number: int) -> bool:
        """The group, and with it pytest, has had this signal just now."""
        self._ask()
        return time.monotonic() - self._had.get(number, -_SAME) < _SAME

    def _ask(self) -> None:
        now = procfs.stat(self._pid)
        if now is None or now.state in _STOPPED:
            return
        try:
            self._question.send(b"?")
            answer = self._question.recv(256)
        except ConnectionError:
            return
        self._had.update(dict.fromkeys(answer, time.monotonic()))

    def dismiss(self) -> None:
        """End it; on return it has exited."""
        kernel.send_signal(self._pidfd, signal.SIGKILL)
        kernel.has_exited(self._pidfd, _WITNESS_LIMIT)


class OuterProcess:
    """Its event loop, and what it knows.

    Args:
        supervisor: Pid of its child, the run's supervisor.
        link: From there come pytest's pidfd, its stops and its end.
        witness: Tells a signal to the group from one to this process.
    """

    def __init__(self, supervisor: int, link: socket.socket, witness: Witness) -> None:
        self._supervisor = supervisor
        self._link = link
        self._witness = witness
        self._remains = Remains(supervisor)
        self._status: int | None = None
        pid, descriptors, _, _ = socket.recv_fds(link, 64, 1)
        if not pid:
            # The supervisor has said why.
            leave(CRASHED)
        self._pytest = int(pid)
        self._pidfd = descriptors[0]
        link.setblocking(False)

    def run(self) -> NoReturn:
        """Serve until the supervisor has ended."""
        while True:
            number = signal.sigwaitinfo(ALL_SIGNALS).si_signo
            if number != signal.SIGCHLD:
                self.pass_on(number)
            self.look()

    def pass_on(self, number: int) -> None:
        """Send a signal to pytest, unless it came to all of the job."""
        if self._witness.had(number):
            return
        signal.sigtimedwait({number}, _MOMENT)
        if number == signal.SIGCONT and signal.sigpending() & _STOPS:
            # A stop that came since undoes it, as signal(7) has it: passed on now,
            # it would continue what that has stopped.
            return
        if not self._witness.had(number):
            kernel.send_signal(self._pidfd, number)

    def look(self) -> None:
        """See what has become of pytest and its supervisor."""
        self._remains.reap()
        status = self._remains.statuses.pop(self._supervisor, None)
        for word, value in self.messages():
            if word == "stopped":
                self.stop(value)
            else:
                self._status = value
        if status is not None and not os.WIFSTOPPED(status):
            self.end(status)

    def messages(self) -> Iterable[tuple[str, int]]:
        """What the supervisor has told since the last look."""
        while True:
            try:
                message = self._link.recv(64).decode()
            except BlockingIOError:
                return
            if not message:
                return
            word, value = message.split()
            yield word, int(value)

    def stop(self, number: int) -> None:
        """Stop as pytest did, until somebody continues this process.

        What continues it is a signal to pass on as any other.
        """
        now = procfs.stat(self._pytest)
        if now is not None and now.state in _STOPPED:
            _raise_by_default(number)

    def end(self, status: int) -> NoReturn:
        """End as pytest did; if the supervisor was killed, as that did."""
        self._witness.dismiss()
        self._remains.reap()
        if status != 0:
            self._remains.end(SHORT_GRACE)
        _end_as(status if self._status is None else self._status)


def _raise_by_default(number: int) -> None:
    if number in (signal.SIGKILL, signal.SIGSTOP):
        os.kill(os.getpid(), number)
        return
    signal.signal(number, signal.SIG_DFL)
    # While it is blocked: one that the group has had is the same one, and acts once.
    os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def _end_as(status: int) -> NoReturn:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        leave(code)
    # pytest has left the core, if one was wanted.
    kernel.forbid_core_dump()
    _raise_by_default(-code)
    # It is process 1, which no default action ends.
    leave(128 - code)


def be_outer_process(
    supervisor: int,
    link: socket.socket,
    witness: int,
    question: socket.socket,
    early: Iterable[int],
) -> NoReturn:
    """Be it until pytest has ended, then end in the same way.

    Args:
        supervisor: Pid of the run's supervisor.
        link: To the supervisor.
        witness: Pid of the witness.
        question: To the witness.
        early: Signals that are pending and pytest's own.
    """

    def role() -> NoReturn:
        for number in early:
            signal.sigtimedwait({number}, 0)
        OuterProcess(supervisor, link, Witness(witness, question)).run()

    become(role, {link.fileno(), question.fileno()}, speaks=True)
