"""The stop function that is right: it ends the agent, then the session."""

from __future__ import annotations

from pathlib import Path

import orchestrator

from pytest_tmuxlife import Server


def test_stop_agent(
    tmux_server: Server, tmux_env: dict[str, str], tmp_path: Path
) -> None:
    orchestrator.start_agent("agent", tmp_path, tmux_env)
    [pane] = tmux_server.panes
    pane.wait_for_text("agent ready")
    pane.send_line("count the five words here")
    pane.wait_for_text("search: 5 words looked at")

    orchestrator.stop_agent("agent", tmp_path, tmux_env)

    assert tmux_server.sessions == []
