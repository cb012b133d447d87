"""A stop function that looks right: the session is closed, and the test passes."""

from __future__ import annotations

from pathlib import Path

import orchestrator

from pytest_tmuxlife import Server


def test_stop_session(
    tmux_server: Server, tmux_env: dict[str, str], tmp_path: Path
) -> None:
    orchestrator.start_agent("agent", tmp_path, tmux_env)
    [pane] = tmux_server.panes
    pane.wait_for_text("agent ready")

    orchestrator.stop_session("agent", tmux_env)

    assert tmux_server.sessions == []
