"""All that one pane prints, byte for byte, for as long as a pipe lasts."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shlex
import signal
from typing import TYPE_CHECKING

from pytest_tmuxlife.clock import Deadline, holds_within
from pytest_tmuxlife.containment import kernel, own, procfs
from pytest_tmuxlife.errors import (
    PaneDied,
    PaneNotReady,
    ServerNotRunning,
    TmuxLifeError,
)
from pytest_tmuxlife.terminal.start.making import quoted
from pytest_tmuxlife.terminal.tmux.client import format_proof

if TYPE_CHECKING:
    from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle

# As much as a FIFO holds.
_READ = 1 << 16
# For the cat to begin, and to end once its input has.
_CAT_LIMIT = 10.0


class PanePipe:
    """The bytes that a pane prints from `open` on. A context manager.

    While it is open ``#{pane_pipe}`` is 1, and the tmux server has a ``cat`` below it,
    which is gone on return from `close`. tmux keeps what is not read yet, in its own
    memory: so `drain` wherever time passes.

    Attributes:
        fd: Readable once there is something to drain.
        data: What has come so far, and was not taken out.
        has_ended: The cat is gone: no more will come.

    Source: tmux(1), pipe-pane; fifo(7).
    """

    def __init__(self, pane: PaneHandle) -> None:
        self._pane = pane
        self._path = f"{pane.camera.directory}/{secrets.token_hex(4)}.bytes"
        self.fd = self._writer = -1
        self.data = bytearray()
        self._is_on = False
        self._cat = -1
        self._cat_pid = 0
        self.has_ended = False

    def __enter__(self) -> PanePipe:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- its begin -----------------------------------------------------------

    def open(self, press: bytes = b"") -> None:
        """Put it on the pane, and then press keys, in one call.

        Raises:
            PaneNotReady: The pane has a pipe already or, if keys are to be pressed,
                is in a mode of tmux; nothing was done.
            PaneDied: The pane is gone.
        """
        pane = self._pane
        self._open_fifo()
        command = f"pipe-pane -O -t {pane.id} {quoted(_cat_into(self._path))}"
        is_refused = "#{pane_pipe}"
        if press:
            command += " ; " + " ".join(press_command(pane, press))
            is_refused = "#{||:#{pane_pipe},#{pane_in_mode}}"
        state = "#{pane_pipe} #{?pane_in_mode,#{pane_mode},-}"
        refuse = f"display-message -p -t {pane.id} {quoted(state)}"
        self._is_on = True
        try:
            found = pane.camera.ask(
                "if-shell", "-F", "-t", pane.id, is_refused, refuse, command
            )
        except TmuxLifeError as error:
            # Refused, or nobody there to put it on: no cat comes. A server that is
            # stopped may do it later.
            self._is_on = isinstance(error, ServerNotRunning) and error.timeout > 0
            raise
        if found.strip():
            self._is_on = False
            raise _refused(pane, *found.split())

    def _open_fifo(self) -> None:
        os.mkfifo(self._path, 0o600)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = own.claim(os.open(self._path, os.O_RDONLY | flags))
        # Without a writer it would be at its end until the cat has begun.
        self._writer = own.claim(os.open(self._path, os.O_WRONLY | flags))

    @property
    def has_begun(self) -> bool:
        """The cat has said its pid: what the pane prints now is not missed."""
        return self._cat_pid > 0

    def _begin(self) -> None:
        """The first line is the cat's pid: it has its end open."""
        pid, _, rest = bytes(self.data).partition(b"\n")
        self._cat_pid = int(pid)
        self._cat = _open_cat(self._cat_pid, self._pane)
        self.data[:] = rest
        self._close_writer()

    def _close_writer(self) -> None:
        if self._writer >= 0:
            own.close(self._writer)
            self._writer = -1

    # -- what comes through it -----------------------------------------------

    def drain(self) -> None:
        """Take in all that is there."""
        while self.read_some():
            pass

    def read_some(self) -> bool:
        """Take in 64 KiB at most; False if nothing is there, or it has ended."""
        if self.has_ended:
            return False
        try:
            chunk = os.read(self.fd, _READ)
        except BlockingIOError:
            return False
        self.has_ended = not chunk
        self.data += chunk
        if not self.has_begun and b"\n" in self.data:
            self._begin()
        return not self.has_ended

    def wait(self, seconds: float, beside: int = -1) -> bool:
        """Return once there is something to drain, or after so many seconds.

        Args:
            seconds: From 0.
            beside: A descriptor that ends the wait too once it is readable.

        Returns:
            Whether there is something to drain.
        """
        poller = select.poll()
        for fd in {self.fd, beside} - {-1}:
            poller.register(fd, select.POLLIN)
        ready = poller.poll(int(seconds * 1000 + 0.999))
        return self.fd in {fd for fd, _ in ready}

    @property
    def cat_waits(self) -> bool:
        """It sleeps: there is nothing to read for it, or no room to write."""
        now = procfs.stat(self._cat_pid)
        return now is None or now.state == "S"

    # -- its end -------------------------------------------------------------

    def close(self) -> None:
        """Take it off the pane; the cat is gone on return."""
        try:
            if self._is_on:
                self._end_cat()
        finally:
            self._is_on = False
            self._close_writer()
            for fd in {self.fd, self._cat} - {-1}:
                own.close(fd)
            self.fd = self._cat = -1
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    def _end_cat(self) -> None:
        """Its input ends with the pipe, and it with that."""
        if self._cat >= 0 and kernel.has_exited(self._cat):
            # The pane's pipe, if it has one, is somebody else's.
            return
        try:
            self._pane.camera.ask("pipe-pane", "-t", self._pane.id)
        except PaneDied:
            # It went with the pane.
            self._await_end()
        except ServerNotRunning as error:
            # Without a reader it ends once a server that is stopped goes on.
            if not error.timeout:
                self._await_end()
        except TmuxLifeError:
            # Of a pane that is kept after its program's end tmux takes none off.
            self._await_end(is_signalled=True)
        else:
            self._await_end()

    def _await_end(self, *, is_signalled: bool = False) -> None:
        deadline = Deadline(_CAT_LIMIT * self._pane.timeout_scale)
        while not self.has_ended and not deadline.expired:
            if is_signalled and self._cat >= 0:
                # It may have begun only now.
                kernel.send_signal(self._cat, signal.SIGTERM)
                is_signalled = False
            self.wait(deadline.remaining)
            self.read_some()
            # Nobody will cut anything out of it now.
            if self.has_begun:
                self.data.clear()
        if self._cat >= 0:
            kernel.has_exited(self._cat, deadline.remaining)
        elif self.has_begun:
            # Not proven to be ours, for its server had gone: it is waited for only.
            holds_within(deadline.remaining, self._cat_is_gone)

    def _cat_is_gone(self) -> bool:
        now = procfs.stat(self._cat_pid)
        return now is None or now.comm != "cat" or now.state in "ZX"


def _cat_into(path: str) -> str:
    """What tmux is to run for a pipe: a cat into the FIFO *path*, its pid first.

    The pid says that it has begun; its end follows that of its input.
    """
    return format_proof(f"exec > {shlex.quote(path)}; echo $$; exec cat")


def _open_cat(pid: int, pane: PaneHandle) -> int:
    """A pidfd of the cat that has said that pid; -1 if it is gone."""
    pidfd = kernel.open_pidfd(pid)
    if pidfd is None:
        return -1
    now = procfs.stat(pid)
    if now is None or now.ppid != pane.server_pid:
        # Its pid is perhaps somebody else's.
        os.close(pidfd)
        return -1
    return own.claim(pidfd)


def _refused(pane: PaneHandle, piped: str, mode: str) -> PaneNotReady:
    if piped == "1":
        return PaneNotReady(
            f"pane {pane.id} has a pipe already (pipe-pane, or follow), and tmux "
            "gives it one only",
            pane=pane.id,
            state="piped",
        )
    return PaneNotReady(
        f"pane {pane.id} is in {mode}, which takes keys for itself; leave it "
        "first: cmd('send-keys', '-t', pane.id, '-X', 'cancel')",
        pane=pane.id,
        state=mode,
    )


def press_command(pane: PaneHandle, keys: bytes) -> list[str]:
    """The tmux command that presses these bytes as keys."""
    return ["send-keys", "-t", pane.id, "-H", *(f"{byte:02x}" for byte in keys)]
