"""The two ways into a tmux server, behind one question: `Door`.

``process`` runs ``tmux -S PATH`` (in the supervisor, so that pytest never
has a child of ours); ``native`` speaks tmux's own socket protocol and is
some ten times faster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_tmuxlife.containment.client_run import ClientRun
from pytest_tmuxlife.containment.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Answer:
    """What tmux said.

    Attributes:
        status: Exit status that the tmux command line would have.
        stdout: Bytes that it printed.
        stderr: Bytes of its complaint.
        timed_out: It did not answer in time.
    """

    status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False


class Door(Protocol):
    """A way to have tmux carry out commands."""

    name: str

    def call(self, arguments: Sequence[str], *, stdin: bytes, timeout: float) -> Answer:
        """Have the server carry out *arguments* and wait for the answer."""
        ...


def client_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a client says of its environment.

    Not PATH: it would win over the one that is given to a pane, and a pane
    that is given none has the server's.
    """
    return {name: text for name, text in environment.items() if name != "PATH"}


class ProcessDoor:
    """Each call is a tmux client process, a child of the supervisor."""

    name = "process"

    def __init__(
        self,
        supervisor: Supervisor,
        tmux: str,
        socket_path: str,
        environment: Mapping[str, str],
    ) -> None:
        self._supervisor = supervisor
        self._prefix = [tmux, "-u", "-S", socket_path]
        self._environment = environment

    def call(self, arguments: Sequence[str], *, stdin: bytes, timeout: float) -> Answer:
        """Run one client; it is killed at the time limit."""
        done = self._supervisor.run(
            [*self._prefix, "--", *arguments],
            client_environment(self._environment),
            stdin=stdin,
            timeout=timeout,
        )
        return Answer(done.status, done.stdout, done.stderr, done.timed_out)

    def start_server(
        self, config: str, arguments: Sequence[str], *, timeout: float
    ) -> ClientRun:
        """Have the client run that starts the server, without waiting for it.

        Args:
            config: Text of the tmux.conf that the server reads.
            arguments: Its first command, which prints the server's pid first.
            timeout: Seconds after which the client is killed.
        """
        path = self._supervisor.directory + "/tmux.conf"
        return self._supervisor.start_server(
            [*self._prefix, "-f", path, *arguments],
            self._environment,
            timeout=timeout,
            makes={os.path.dirname(self._prefix[-1]): None, path: config},
        )
