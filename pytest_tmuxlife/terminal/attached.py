"""A real terminal with ``tmux attach`` in it, as a person has one."""

from __future__ import annotations

import os
import signal
import warnings
from typing import TYPE_CHECKING

import pexpect

from pytest_tmuxlife import arguments
from pytest_tmuxlife.clock import Deadline, backoff
from pytest_tmuxlife.containment import kernel, own
from pytest_tmuxlife.errors import PaneNotReady, ServerNotRunning, TmuxLifeError
from pytest_tmuxlife.terminal.session import Session
from pytest_tmuxlife.terminal.start.options import parse_size

if TYPE_CHECKING:
    from pytest_tmuxlife.terminal.tmux.client import Client

    _Spawn = pexpect.spawn[str]
else:
    _Spawn = pexpect.spawn

_TERM = "xterm-256color"
_READ = 1 << 16


class AttachedClient(_Spawn):
    """A ``pexpect.spawn`` of a tmux client that is attached to a session.

    What it is sent goes through tmux's key bindings, prefix key included. It has to be
    read now and then (``expect``), as the terminal of a person is.

    Args:
        session: To which it is attached on return.
        size: Columns and rows of its terminal.

    Attributes:
        name: As tmux names it: the path of its terminal.

    Raises:
        TmuxLifeError: It is no session, or a size that cannot be.
        PaneNotReady: It did not get attached; has what it printed.
    """

    def __init__(self, session: Session, size: object = (80, 24)) -> None:
        if not isinstance(session, Session):
            raise arguments.refused("session", session, "a Session")
        try:
            columns, rows = parse_size(size)
        except ValueError as error:
            raise TmuxLifeError(f"client of size {size!r}: {error}") from None
        self._tmux = client = session.client
        # Its time-outs, those of `expect` too.
        limit = client.scaled(None)
        self.name = ""
        self._pidfd = -1
        with warnings.catch_warnings():
            # The fork is followed by exec at once.
            warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
            super().__init__(
                client.tmux,
                ["-u", "-S", client.socket_path, "attach-session", "-t", session.id],
                env={**client.environment, "TERM": _TERM},
                dimensions=(rows, columns),
                encoding="utf-8",
                codec_errors="backslashreplace",
                timeout=limit,
            )
        # Of an own child that nobody has waited for there always is one.
        self._pidfd = own.claim(os.pidfd_open(int(self.pid or 0)))
        own.claim(self.child_fd)
        # What comes within 1 ms of other keys tmux takes for pasted text, and does
        # not look for a prefix key in it: tmux(1), assume-paste-time.
        self.delaybeforesend = 0.005
        self.ptyproc.delayafterclose = 0  # type: ignore[attr-defined]
        try:
            self._wait_until_attached(Deadline(limit))
        except BaseException:
            self.end()
            raise

    def _wait_until_attached(self, deadline: Deadline) -> None:
        for pause in backoff(0.001, 0.02):
            self.name = _name_of(self._tmux, str(self.pid))
            if self.name:
                return
            if kernel.has_exited(self._pidfd, pause) or deadline.expired:
                break
        printed = self._drain(Deadline(1.0))
        raise PaneNotReady(
            f"tmux attach did not get attached in {deadline.elapsed:.3g} s; it printed "
            f"{printed!r}",
            pane="",
            state="not attached",
        )

    def resize(self, columns: int, rows: int) -> None:
        """Give its terminal another size; on return tmux has noticed.

        Raises:
            TmuxLifeError: A size that cannot be, or it is not attached any more.
        """
        try:
            wanted = parse_size((columns, rows))
        except ValueError as error:
            raise TmuxLifeError(f"resize to {columns!r}x{rows!r}: {error}") from None
        if self.closed:
            raise TmuxLifeError(
                f"client {self.name} is detached: it has no terminal to resize"
            )
        self.setwinsize(rows, columns)
        deadline = Deadline(self._tmux.scaled(None))
        look = "#{client_width} #{client_height}"
        for pause in backoff(0.001, 0.02):
            answer = self._ask("display-message", "-p", "-c", self.name, look)
            if answer == f"{wanted[0]} {wanted[1]}":
                return
            if kernel.has_exited(self._pidfd, pause) or deadline.expired:
                break
        raise TmuxLifeError(
            f"tmux has not noticed that client {self.name} is {columns}x{rows} now, in "
            f"{deadline.elapsed:.3g} s; it says {answer!r}"
        )

    def detach(self) -> None:
        """Detach it, as ``prefix d`` does; on return it has ended.

        Raises:
            TmuxLifeError: It did not end, and was killed.
        """
        self.end()

    def end(self, timeout: float | None = None) -> None:
        """Detach it if it is attached, and take back all that it has.

        Args:
            timeout: Seconds; None for those of the server.

        Raises:
            TmuxLifeError: It did not end by itself, and was killed.
        """
        if self.closed:
            return
        deadline = Deadline(self._tmux.scaled(timeout))
        if self.name and not kernel.has_exited(self._pidfd):
            self._ask("detach-client", "-t", self.name)
        # It may wait until somebody reads its last words.
        self._drain(deadline)
        is_stuck = not kernel.has_exited(self._pidfd, deadline.remaining)
        if is_stuck:
            kernel.send_signal(self._pidfd, signal.SIGKILL)
            kernel.has_exited(self._pidfd, 10.0)
        self.wait()
        self.close()
        if is_stuck:
            raise TmuxLifeError(
                f"tmux client {self.name} (pid {self.pid}) did not end within "
                f"{deadline.timeout:g} s after it was detached, and was killed"
            )

    def close(self, force: bool = True) -> None:
        """Close its terminal, as a person who shuts the window; see pexpect."""
        if not self.closed:
            own.disclaim(self.child_fd)
        super().close(force)
        if self._pidfd >= 0:
            own.close(self._pidfd)
            self._pidfd = -1

    def _ask(self, *arguments: str) -> str:
        try:
            answer = self._tmux.call(arguments)
        except ServerNotRunning:
            return ""
        return answer.stdout.decode("utf-8", "backslashreplace").strip()

    def _drain(self, deadline: Deadline) -> str:
        """What it still prints, until it has ended."""
        printed = ""
        while not deadline.expired:
            try:
                printed += self.read_nonblocking(_READ, 0.05)
            except pexpect.TIMEOUT:
                if kernel.has_exited(self._pidfd):
                    break
            except pexpect.EOF:
                break
        return printed


def _name_of(client: Client, pid: str) -> str:
    """The name of the client that is process *pid*; "" if it is not attached."""
    answer = client.call(["list-clients", "-F", "#{client_pid} #{client_name}"])
    for line in answer.stdout.decode("utf-8", "backslashreplace").splitlines():
        found, _, name = line.partition(" ")
        if found == pid:
            return name
    return ""
