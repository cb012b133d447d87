"""What pytest-tmuxlife is compared with: bare tmux, libtmux, hecate, pexpect."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import itertools
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import libtmux
import libtmux.pytest_plugin
import pexpect
from pexpect import replwrap

from bench.ours import HISTORY
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.start.environment import clean_environment

_LIMIT = 10.0
SHELL = ("bash", "--noprofile", "--norc", "-i")


class BareTmux:
    """A tmux server by posix_spawn, with nothing around it.

    Args:
        directory: For its sockets.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        found = shutil.which("tmux")
        assert found is not None
        self._tmux = found
        self._environment = clean_environment(os.environ)
        self._numbers = itertools.count()

    def by_signal(self, _: int) -> float:
        """Start to gone, the end by SIGTERM: no client process for it."""
        return self._start_to_gone(self._terminate)

    def by_client(self, _: int) -> float:
        """Start to gone, the end by a ``tmux kill-server``."""
        return self._start_to_gone(self._kill_server)

    def _start_to_gone(self, end: Callable[[int, str], None]) -> float:
        socket = f"{self._directory}/bare-{next(self._numbers)}"
        start = time.perf_counter()
        new = ("new-session", "-d", "-x", "80", "-y", "24", "-P", "-F", "#{pid}")
        pidfd = os.pidfd_open(int(self._client(socket, *new, *SHELL)))
        try:
            end(pidfd, socket)
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            poller.poll()
            seconds = time.perf_counter() - start
        finally:
            os.close(pidfd)
        return seconds

    def _terminate(self, pidfd: int, _: str) -> None:
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)

    def _kill_server(self, _: int, socket: str) -> None:
        self._client(socket, "kill-server")

    def _client(self, socket: str, *arguments: str) -> bytes:
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        pid = os.posix_spawn(
            self._tmux,
            [self._tmux, "-S", socket, "-f", "/dev/null", *arguments],
            self._environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)],
        )
        os.close(theirs)
        os.waitpid(pid, 0)
        try:
            return os.read(ours, 1024)
        finally:
            os.close(ours)


class _Request:
    """As much of pytest's request as libtmux's fixtures use."""

    def __init__(self) -> None:
        self._finalizers: list[Callable[[], object]] = []

    def addfinalizer(self, finalizer: Callable[[], object]) -> None:
        self._finalizers.append(finalizer)

    def finish(self) -> None:
        for finalizer in reversed(self._finalizers):
            finalizer()


def _fixture(name: str) -> Callable[..., Any]:
    """The function of a fixture of libtmux's own plugin."""
    function: Callable[..., Any] = inspect.unwrap(getattr(libtmux.pytest_plugin, name))
    return function


def libtmux_server(_: int) -> float:
    """libtmux's fixture ``server``, a new_session, and the fixture's end."""
    start = time.perf_counter()
    request = _Request()
    _fixture("server")(request, None, None).new_session()
    request.finish()
    return time.perf_counter() - start


def libtmux_session(_: int) -> float:
    """libtmux's fixture ``session``, and the end of its ``server``."""
    start = time.perf_counter()
    request = _Request()
    _fixture("session")(request, {}, _fixture("server")(request, None, None))
    request.finish()
    return time.perf_counter() - start


class LibtmuxPane:
    """A pane of a libtmux server; a context manager.

    Args:
        command: What runs in it.
    """

    def __init__(self, command: str) -> None:
        self._request = _Request()
        server: libtmux.Server = _fixture("server")(self._request, None, None)
        # The limit holds for panes that are made after it is set.
        server.new_session(window_command="cat")
        server.cmd("set-option", "-g", "history-limit", str(HISTORY))
        self._server, self._command = server, command
        self.pane = self._new_pane()

    def _new_pane(self) -> libtmux.Pane:
        session = self._server.new_session(window_command=self._command, x=80, y=24)
        assert session.active_pane is not None
        return session.active_pane

    def beside(self) -> LibtmuxPane:
        """Another one with the same command on its server; ends with it."""
        other = copy.copy(self)
        other.pane = self._new_pane()
        return other

    def __enter__(self) -> LibtmuxPane:
        return self

    def __exit__(self, *_: object) -> None:
        self._request.finish()

    def capture(self, start: int | None = None) -> list[str]:
        return self.pane.capture_pane(start=start) or []

    def wait_for_line(self, line: str) -> None:
        """Capture without a pause until the pane shows *line*.

        Raises:
            TimeoutError: It did not within ten seconds.
        """
        deadline = Deadline(_LIMIT)
        while line not in (lines := self.capture()):
            if deadline.expired:
                raise TimeoutError(f"no {line!r} in {lines}")


class HecatePane:
    """A program under hecate, where that is installed; a context manager.

    Args:
        argv: What runs in it.
    """

    is_installed = importlib.util.find_spec("hecate") is not None

    def __init__(self, argv: Sequence[str]) -> None:
        import hecate

        self.runner = hecate.Runner(*argv, default_timeout=_LIMIT)

    def __enter__(self) -> HecatePane:
        return self

    def __exit__(self, *_: object) -> None:
        # At its end it waits so long for the program to end by itself.
        self.runner.default_timeout = 0.01
        self.runner.shutdown()


def bare_shell() -> replwrap.REPLWrapper:
    """pexpect's replwrap around a bash on a pty of its own, without tmux."""
    shell: replwrap.REPLWrapper = replwrap.bash()
    # By default it sleeps for 50 ms before each line that it sends.
    shell.child.delaybeforesend = None
    return shell


def bare_program(argv: list[str]) -> pexpect.spawn[str]:
    """A program on a pty of its own, without tmux."""
    return pexpect.spawn(argv[0], argv[1:], encoding="utf-8", dimensions=(24, 80))
