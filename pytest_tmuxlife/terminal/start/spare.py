"""A tmux server that is started before anybody needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_tmuxlife.containment.directories import socket_in
from pytest_tmuxlife.terminal.start import starting
from pytest_tmuxlife.terminal.tmux.client import Client

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.supervisor import Supervisor
    from pytest_tmuxlife.terminal.start.options import Options


class SpareServer:
    """A tmux server without a session, on its way: nothing is waited for.

    It is started as `Server.start` starts one. `Server.take` makes it the
    server of a test.

    Args:
        supervisor: Holds it; nobody else uses that.
        tmux: Path of the tmux program.
        environment: What it is started with, as a test would have it.
        options: The same; without a configuration of its own.
        timeout_scale: Multiplies the time limit of the start.

    Raises:
        ReaperDied: The supervisor is gone.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        tmux: str,
        environment: Mapping[str, str],
        options: Options,
        timeout_scale: float,
    ) -> None:
        self.supervisor = supervisor
        self.environment = environment
        self.options = options
        client = Client(
            supervisor,
            tmux=tmux,
            socket_path=socket_in(supervisor.directory),
            environment=starting.environment_of(supervisor, environment),
            engine="process",
            timeout=options.timeout,
            timeout_scale=timeout_scale,
        )
        self.starting = client.begin_start(
            starting.config_of(options), starting.STAYS_EMPTY
        )
