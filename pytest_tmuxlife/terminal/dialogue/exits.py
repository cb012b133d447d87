"""The end of a pane's first process: waiting for it, and how it ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal as signals
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from pytest_tmuxlife.clock import Deadline, backoff
from pytest_tmuxlife.containment import kernel
from pytest_tmuxlife.errors import PaneDied, ServerNotRunning, TmuxLifeError
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.dialogue.timeouts import timed_out_anyhow, unanswered
from pytest_tmuxlife.terminal.tmux.client import limited_by
from pytest_tmuxlife.terminal.tmux.differences import NO_PID, pane_pid

# _IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info): 64 bytes in its first version.
_GET_INFO = 0xC040FF0B
_INFO_SIZE = 64
_INFO_EXIT = 1 << 3
_EXIT_CODE_AT = 60
_KNOWN_SINCE = (6, 15)
# Seconds that the parent has to wait for it, whatever time is left.
_REAPING = 1.0
_REMINDER = 0.05
# Between the end of a terminal and that of the process that had it.
ENDING = 0.5


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: one of the two is None.

    Attributes:
        code: Its exit status, 0 to 255; None if a signal ended it.
        signal: Number of the signal that ended it; None if it exited.
    """

    code: int | None
    signal: int | None

    @classmethod
    def of(cls, status: int) -> ExitStatus:
        """From the status that wait(2) gives."""
        if os.WIFSIGNALED(status):
            return cls(None, os.WTERMSIG(status))
        return cls(os.WEXITSTATUS(status), None)

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit status {self.code}"
        try:
            name = signals.Signals(self.signal).name
        except ValueError:
            name = "a real-time signal"
        return f"signal {self.signal} ({name})"


@cache
def kernel_tells() -> bool:
    """A pidfd says how its process ended.

    Source: linux/pidfd.h, PIDFD_INFO_EXIT, Linux 6.15.
    """
    number, _, rest = os.uname().release.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    if not (number.isdigit() and minor.isdigit()):
        return False
    return (int(number), int(minor)) >= _KNOWN_SINCE


def kernel_status(pidfd: int) -> ExitStatus | None:
    """How the process of *pidfd* ended; None if nobody has waited for it yet.

    Raises:
        OSError: The kernel does not know.
    """
    try:
        return _asked_kernel(pidfd)
    except ProcessLookupError:
        # The kernel looks for what is kept of an ended process first, and then for
        # the process: between the two it was waited for. Now the first is there.
        return _asked_kernel(pidfd)


def _asked_kernel(pidfd: int) -> ExitStatus | None:
    info = bytearray(_INFO_SIZE)
    struct.pack_into("=Q", info, 0, _INFO_EXIT)
    fcntl.ioctl(pidfd, _GET_INFO, info)
    if not struct.unpack_from("=Q", info)[0] & _INFO_EXIT:
        return None
    return ExitStatus.of(struct.unpack_from("=i", info, _EXIT_CODE_AT)[0])


def died(pane: PaneHandle) -> PaneDied:
    """The error for a program that has ended, with the screen if it is kept."""
    shown, how = "", "has ended"
    try:
        shown = pane.screen().describe()
        if is_replaced(pane):
            how += "; tmux runs another one in its place (respawn-pane?), of which "
            how += "Server.panes has the Pane"
    except TmuxLifeError:
        # Without remain-on-exit the pane went with its program.
        shown = ""
    return PaneDied(
        f"the program of pane {pane.id} ({pane.program}, pid {pane.pid}) "
        f"{how}{chr(10) + shown if shown else ''}",
        pane=pane.id,
        program=pane.program,
        screen=shown,
    )


def is_replaced(pane: PaneHandle) -> bool:
    """Tmux runs another program in the pane, as respawn-pane has it.

    Raises:
        PaneDied: There is no such pane.
        ServerNotRunning: Nor a server.
    """
    look = ("display-message", "-p", "-t", pane.id, "#{pane_pid}")
    return pane_pid(pane.camera.ask(*look).strip()) not in (pane.pid, NO_PID)


def send(pane: PaneHandle, number: object) -> None:
    """See `Pane.signal`."""
    if not isinstance(number, int) or number not in signals.valid_signals():
        raise TmuxLifeError(f"there is no signal {number!r}", signal=number)
    if pane.pidfd < 0 or not kernel.send_signal(pane.pidfd, number):
        raise died(pane)


def wait_for_exit(pane: PaneHandle, timeout: float | None) -> ExitStatus:
    """See `Pane.wait_for_exit`."""
    deadline = Deadline(pane.timeout(timeout))
    with limited_by(deadline):
        try:
            if pane.pidfd >= 0 and kernel_tells():
                return _by_kernel(pane, deadline)
            return _by_tmux(pane, deadline)
        except ServerNotRunning as error:
            if not error.timeout:
                raise
            raise unanswered(pane, "exit", deadline, error) from None


def _by_kernel(pane: PaneHandle, deadline: Deadline) -> ExitStatus:
    _wait_for_end(pane, deadline)

    def ask() -> ExitStatus | None:
        try:
            return kernel_status(pane.pidfd)
        except OSError:
            raise _unknown(pane, "the kernel does not say") from None

    return _insist(pane, ask, deadline)


def _insist(
    pane: PaneHandle, ask: Callable[[], ExitStatus | None], deadline: Deadline
) -> ExitStatus:
    """What *ask* gives once tmux has waited for its child."""
    reaping = Deadline(max(deadline.remaining, _REAPING * pane.timeout_scale))
    status = _told_within(pane, ask, reaping)
    if status is None:
        state = (
            f"is a zombie: its parent, tmux server {pane.server_pid}, does not wait "
            "for it"
        )
        raise timed_out_anyhow(pane, "exit", deadline, state)
    return status


def _told_within(
    pane: PaneHandle, ask: Callable[[], ExitStatus | None], reaping: Deadline
) -> ExitStatus | None:
    """What *ask* gives, tmux being reminded of its child; None if nothing by then."""
    reminder = Deadline(_REMINDER)
    for pause in backoff(0.0005, 0.02):
        status = ask()
        if status is not None or reaping.expired:
            return status
        if reminder.expired:
            _have_a_child_end(pane)
            reminder = Deadline(_REMINDER)
        select.select([], [], [], pause)
    raise AssertionError("backoff never ends")


def _have_a_child_end(pane: PaneHandle) -> None:
    """Have tmux look for ended children, as it does when the next one ends.

    It loses a SIGCHLD that comes while it runs utempter.
    """
    try:
        pane.camera.ask("run-shell", "-b", "true")
    except ServerNotRunning as error:
        # Without a server the supervisor waits for what was its child.
        if error.timeout:
            raise


def _wait_for_end(pane: PaneHandle, deadline: Deadline) -> None:
    if not pane.ends_within(deadline.remaining):
        state = "alive, though its pane is gone"
        raise timed_out_anyhow(pane, "exit", deadline, state)


def _by_tmux(pane: PaneHandle, deadline: Deadline) -> ExitStatus:
    """What tmux keeps, which it does for a pane that remains."""
    try:
        with _remaining(pane):
            _wait_for_end(pane, deadline)
            return _insist(pane, lambda: kept_status(pane), deadline)
    except (PaneDied, ServerNotRunning) as error:
        if isinstance(error, ServerNotRunning) and error.timeout:
            raise
        raise _unknown(pane, "its pane is gone") from None


@contextlib.contextmanager
def _remaining(pane: PaneHandle) -> Iterator[None]:
    """The pane stays when its program ends; then it goes, as it would have."""
    option = ("-p", "-t", pane.id, "remain-on-exit")
    look = ("display-message", "-p", "-t", pane.id, "#{remain-on-exit}")
    if pane.camera.ask(*look).strip() != "off":
        yield
        return
    pane.camera.ask("set-option", *option, "on")
    try:
        yield
    finally:
        with contextlib.suppress(PaneDied, ServerNotRunning):
            pane.camera.ask("set-option", "-u", *option)
            if pane.camera.screen().dead:
                pane.camera.ask("kill-pane", "-t", pane.id)


def status_of_dead(pane: PaneHandle) -> ExitStatus | None:
    """How the program of a pane that is dead has ended; None if tmux does not say."""
    # It closes its terminal, and is dead with that, a moment before it ends.
    reaping = Deadline(_REAPING * pane.timeout_scale)
    return _told_within(pane, lambda: kept_status(pane), reaping)


def kept_status(pane: PaneHandle) -> ExitStatus | None:
    """How the program of a pane that remains has ended; None if tmux does not say."""
    words = "#{pane_dead} #{pane_dead_status} #{pane_dead_signal}"
    answer = pane.camera.ask("display-message", "-p", "-t", pane.id, words)
    dead, code, signal = answer.rstrip("\n").split(" ")
    if not dead:
        # Of a pane that it does not know tmux prints nothing.
        raise died(pane)
    if dead != "1" or not (code or signal):
        return None
    if code:
        return ExitStatus(int(code), None)
    if signal.isdigit():
        return ExitStatus(None, int(signal))
    return ExitStatus(
        None, signals.Signals["SIG" + signal.upper().removeprefix("SIG")].value
    )


def _unknown(pane: PaneHandle, why: str) -> TmuxLifeError:
    return TmuxLifeError(
        f"the program of pane {pane.id} ({pane.program}, pid {pane.pid}) has ended, "
        f"but how is not known: {why}; before Linux 6.15 wait_for_exit has to be "
        "called before it ends, or the pane to be made with remain_on_exit=True",
        pane=pane.id,
        program=pane.program,
    )


def wait_gone(pane: PaneHandle, timeout: float | None) -> None:
    """See `Pane.wait_gone`."""
    deadline = Deadline(pane.timeout(timeout))
    with limited_by(deadline):
        try:
            _wait_gone(pane, deadline)
        except ServerNotRunning as error:
            raise unanswered(pane, "end of the pane", deadline, error) from None


def _wait_gone(pane: PaneHandle, deadline: Deadline) -> None:
    is_there = True
    for pause in backoff(0.0005, 0.02):
        is_there = is_there and _is_there(pane)
        if not is_there and pane.has_ended:
            return
        if deadline.expired:
            what = "end of the pane"
            if pane.has_ended:
                what += f" ({_why_it_stays(pane)})"
            state = "alive, though its pane is gone"
            raise timed_out_anyhow(pane, what, deadline, state)
        if is_there and pane.has_ended:
            select.select([], [], [], min(pause, deadline.remaining))
        else:
            pane.ends_within(min(pause, deadline.remaining))
    raise AssertionError("backoff never ends")


def _why_it_stays(pane: PaneHandle) -> str:
    try:
        if is_replaced(pane):
            return "another program runs in it (respawn-pane?)"
    except (PaneDied, ServerNotRunning):
        return "it has just gone"
    return "remain-on-exit keeps it"


def _is_there(pane: PaneHandle) -> bool:
    try:
        pane.camera.screen()
    except PaneDied:
        return False
    except ServerNotRunning as error:
        if error.timeout:
            raise
        return False
    return True
