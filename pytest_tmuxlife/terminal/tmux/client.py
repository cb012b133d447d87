"""The one door to tmux: every call of ours passes through `Client.call`.

With the socket's path, a scrubbed environment, no inherited descriptors and
a time limit; natively where that is asked for and works, else by process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pytest_tmuxlife.arguments import seconds
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment.client_run import ClientRun
from pytest_tmuxlife.containment.owner import Owner
from pytest_tmuxlife.containment.supervisor import Supervisor
from pytest_tmuxlife.errors import ServerNotRunning, TmuxLifeError
from pytest_tmuxlife.terminal.tmux.door import Answer, ProcessDoor, client_environment
from pytest_tmuxlife.terminal.tmux.native import (
    NativeDoor,
    ServerGone,
    UnexpectedAnswer,
)

# What tmux prints when nobody listens on the socket.
_NOT_RUNNING = (b"no server running", b"error connecting", b"server exited")
# Seconds that a call has at least: a wait's last look comes at its very end.
_LEAST = 1.0
# Of the wait that this thread is in.
_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def limited_by(deadline: Deadline) -> Iterator[None]:
    """Calls of this thread end with *deadline*, or a second after it."""
    outer = _deadline.get()
    nearer = outer is not None and outer.at <= deadline.at
    token = _deadline.set(outer if nearer else deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


@dataclass(frozen=True, slots=True)
class TmuxReply:
    """What tmux answered, in the shape that libtmux gives it.

    Attributes:
        returncode: Exit status of the tmux command line.
        stdout: Lines that it printed, without trailing empty ones.
        stderr: Lines of its complaint.
    """

    returncode: int
    stdout: list[str]
    stderr: list[str]

    @property
    def ok(self) -> bool:
        """True if tmux carried it out."""
        return self.returncode == 0

    @classmethod
    def of(cls, answer: Answer) -> TmuxReply:
        """The lines of an answer's bytes."""
        return cls(answer.status, _lines(answer.stdout), _lines(answer.stderr))


def _lines(data: bytes) -> list[str]:
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    return lines


def literal(argument: str) -> str:
    """An argument that tmux takes as it is: a last ``;`` would end the command.

    Source: tmux(1), COMMAND PARSING AND EXECUTION.
    """
    return argument[:-1] + "\\;" if argument.endswith(";") else argument


def _check_word(word: str) -> None:
    if "\0" in word:
        raise TmuxLifeError(f"argument {word!r} holds a NUL, and cannot be given")
    try:
        os.fsencode(word)
    except UnicodeEncodeError as error:
        raise TmuxLifeError(
            f"argument {word!r} is no text that can be given: {error}"
        ) from None


def format_proof(text: str) -> str:
    """Text that comes out of tmux's formats as it is.

    Source: tmux(1), FORMATS.
    """
    return text.replace("#", "##")


class Client:
    """Talks to the tmux server of one supervisor.

    Args:
        supervisor: Runs the client processes.
        tmux: Path of the tmux program.
        socket_path: Of the server.
        environment: The whole environment of client processes.
        engine: ``native`` or ``process``.
        timeout: Seconds for a call that names none.
        timeout_scale: Multiplies every limit.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        tmux: str,
        socket_path: str,
        environment: Mapping[str, str],
        engine: str,
        timeout: float,
        timeout_scale: float = 1.0,
    ) -> None:
        self.socket_path = socket_path
        self.tmux = tmux
        self.environment = environment
        self.timeout = timeout
        self.timeout_scale = timeout_scale
        self.owner = Owner()
        self._process = ProcessDoor(supervisor, tmux, socket_path, environment)
        of_client = client_environment(environment)
        self._native = (
            NativeDoor(socket_path, of_client) if engine == "native" else None
        )

    @property
    def engine(self) -> str:
        """Which door calls go through now."""
        return "process" if self._native is None else "native"

    def scaled(self, timeout: float | None) -> float:
        """The limit in seconds that holds for a call that was given *timeout*.

        Raises:
            TmuxLifeError: It cannot be waited; see `arguments.seconds`.
        """
        limit = self.timeout
        if timeout is not None:
            limit = seconds("timeout", timeout)
        return limit * self.timeout_scale

    def begin_start(self, config: str, arguments: Sequence[str]) -> ClientRun:
        """Have the server started by its first command, without waiting for it.

        Args:
            config: Text of the tmux.conf that it reads.
            arguments: The command; it prints the server's pid first.
        """
        self.owner.check()
        return self._process.start_server(config, arguments, timeout=self.scaled(None))

    def end_start(self, starting: ClientRun) -> bytes:
        """What the command that started the server has printed.

        Raises:
            ServerNotRunning: It did not start, or not in time.
        """
        answer = starting.result()
        if answer.timed_out:
            raise ServerNotRunning(
                f"{self.tmux} did not start a server on {self.socket_path} within "
                f"{starting.timeout:g} s and was killed; is it the real tmux?",
                socket_path=self.socket_path,
                stderr=_text(answer.stderr),
            )
        if answer.status != 0:
            raise ServerNotRunning(
                f"tmux could not start a server on {self.socket_path} (status "
                f"{answer.status}): {_text(answer.stderr) or 'it printed nothing'}",
                socket_path=self.socket_path,
                stderr=_text(answer.stderr),
            )
        return answer.stdout

    def call(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Answer:
        """Have the server carry out *arguments*, as the tmux command line would.

        Args:
            arguments: Command and arguments; ``;`` separates commands.
            stdin: What ``-`` as a file name reads.
            timeout: Seconds; None for the default.

        Raises:
            TmuxLifeError: An argument that cannot be given to it.
            ServerNotRunning: No server, or no answer within *timeout* or what the
                wait around it has left.
        """
        self.owner.check()
        for word in arguments:
            _check_word(word)
        limit = self.scaled(timeout)
        deadline = _deadline.get()
        if deadline is not None:
            limit = min(limit, max(deadline.remaining, _LEAST * self.timeout_scale))
        answer = self._call_native(arguments, stdin, limit)
        if answer is None:
            answer = self._process.call(arguments, stdin=stdin, timeout=limit)
        if answer.timed_out:
            raise ServerNotRunning(
                f"the tmux server on {self.socket_path} did not answer "
                f"{arguments[0]!r} within {limit:.3g} s",
                socket_path=self.socket_path,
                stderr=_text(answer.stderr),
                timeout=limit,
            )
        if answer.status != 0 and answer.stderr.startswith(_NOT_RUNNING):
            raise self._not_running(_text(answer.stderr))
        return answer

    def _call_native(
        self, arguments: Sequence[str], stdin: bytes, limit: float
    ) -> Answer | None:
        if self._native is None or not self._native.fits(arguments):
            return None
        try:
            return self._native.call(arguments, stdin=stdin, timeout=limit)
        except ServerGone as error:
            if arguments[0] == "kill-server":
                return Answer(0, b"", b"")
            raise self._not_running(str(error)) from None
        except UnexpectedAnswer:
            # Another protocol: this server is talked to by process from now on.
            self._native = None
            return None

    def _not_running(self, reason: str) -> ServerNotRunning:
        return ServerNotRunning(
            f"no tmux server on {self.socket_path}: {reason}; it has ended, or the "
            "last of its sessions has",
            socket_path=self.socket_path,
            stderr=reason,
        )

    def query(self, *arguments: str, timeout: float | None = None) -> str:
        """Like `call`, for what must succeed; returns what it printed.

        Raises:
            TmuxLifeError: tmux refused; says what and why.
            ServerNotRunning: No server, or no answer in time.
        """
        answer = self.call(arguments, timeout=timeout)
        if answer.status != 0:
            raise TmuxLifeError(
                f"tmux {arguments[0]} failed (status {answer.status}): "
                f"{_text(answer.stderr)}",
                command=arguments,
                status=answer.status,
                stderr=_text(answer.stderr),
            )
        return answer.stdout.decode("utf-8", "backslashreplace")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").strip()
