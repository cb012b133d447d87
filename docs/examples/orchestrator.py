"""Runs agents in tmux sessions: the program under test of this example.

It calls the tmux command line, as such programs do, in an environment that
its caller gives. Of the two ways to stop an agent only one is right.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

AGENT = Path(__file__).with_name("agent.py")


def start_agent(name: str, workspace: Path, env: Mapping[str, str]) -> None:
    """Start an agent in a tmux session of its own; its shell outlives it."""
    agent = shlex.join([sys.executable, str(AGENT), str(workspace)])
    line = f"{agent}; echo agent ended; exec sh"
    _tmux(["new-session", "-d", "-s", name, "-c", str(workspace), line], env)


def stop_session(name: str, env: Mapping[str, str]) -> None:
    """Stop an agent by its session. Wrong: whoever ignores SIGHUP stays."""
    _tmux(["kill-session", "-t", f"={name}"], env)


def stop_agent(
    name: str, workspace: Path, env: Mapping[str, str], timeout: float = 5.0
) -> None:
    """Stop an agent and its helpers; on return they are gone, and the session.

    Raises:
        TimeoutError: One of them is still there; the session is, too.
    """
    state = json.loads((workspace / "agent.json").read_text(encoding="utf-8"))
    agent, *helpers = [os.pidfd_open(pid) for pid in (state["pid"], *state["helpers"])]
    try:
        signal.pidfd_send_signal(agent, signal.SIGTERM)
        _wait_gone([agent, *helpers], timeout)
    finally:
        for pidfd in (agent, *helpers):
            os.close(pidfd)
    _tmux(["kill-session", "-t", f"={name}"], env)


def _wait_gone(pidfds: list[int], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    for pidfd in pidfds:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError(f"the agent did not stop within {timeout} s")


def _tmux(arguments: list[str], env: Mapping[str, str]) -> None:
    subprocess.run(["tmux", *arguments], env=dict(env), check=True)
