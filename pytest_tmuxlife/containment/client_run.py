"""A tmux client that a supervisor runs for us, and how it ended."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from pytest_tmuxlife.containment.channel import Channel
from pytest_tmuxlife.errors import TmuxNotFound


@dataclass(frozen=True, slots=True)
class Completed:
    """How a tmux client ended.

    Attributes:
        status: Exit status, or minus the signal's number.
        stdout: What it printed.
        stderr: What it complained of.
        timed_out: It was killed at its time limit.
    """

    status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool


class ClientRun:
    """A tmux client that was asked for; it may have ended by now.

    Args:
        channel: The line to its supervisor.
        number: Of the request.
        program: Its path.
        timeout: Seconds after which it is killed.

    Attributes:
        timeout: The same.
    """

    def __init__(
        self, channel: Channel, number: int, program: str, timeout: float
    ) -> None:
        self._channel = channel
        self._number = number
        self._program = program
        self.timeout = timeout

    def result(self) -> Completed:
        """How it ended, once it has; to be asked for once.

        Raises:
            TmuxNotFound: The program cannot be started.
            OSError: A file that it needs cannot be made.
            ReaperDied: The supervisor is gone.
        """
        answer = self._channel.answer(self._number, self.timeout)
        if "error" not in answer:
            return Completed(**answer)
        code = answer["error"]
        if "path" in answer:
            raise OSError(code, os.strerror(code), answer["path"])
        reason = (
            f"cannot start {self._program}: {os.strerror(code)} "
            f"({errno.errorcode.get(code, code)})"
        )
        raise TmuxNotFound(reason, reason=reason)
