"""libtmux on our servers: its API, through our door."""

from __future__ import annotations

from typing import Any

import libtmux
from libtmux.common import tmux_cmd

from pytest_tmuxlife.terminal.tmux.client import Client, TmuxReply


class BoundServer(libtmux.Server):
    """A `libtmux.Server` whose commands go through our `Client`."""

    def __init__(self, client: Client) -> None:
        super().__init__(socket_path=client.socket_path, tmux_bin=client.tmux)
        self._client = client

    def cmd(self, cmd: str, *args: Any, target: str | int | None = None) -> tmux_cmd:
        """As `libtmux.Server.cmd`, with our time limit and environment."""
        arguments = [cmd, *(["-t", str(target)] if target is not None else [])]
        arguments += [str(argument) for argument in args]
        reply = TmuxReply.of(self._client.call(arguments))
        # Its constructor would run the command itself.
        done = tmux_cmd.__new__(tmux_cmd)
        done.cmd = [self._client.tmux, f"-S{self._client.socket_path}", *arguments]
        done.returncode = reply.returncode
        done.stdout = reply.stdout
        done.stderr = [line for line in reply.stderr if line]
        if cmd == "has-session" and done.stderr and not done.stdout:
            done.stdout = [done.stderr[0]]
        return done
