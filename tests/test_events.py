"""What wakes a wait, without any tmux."""

from __future__ import annotations

import os
import select
import time

import pytest

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.dialogue import events
from pytest_tmuxlife.terminal.dialogue.events import PaneEvents
from pytest_tmuxlife.terminal.dialogue.inotify import TerminalWatch


@pytest.mark.parametrize(
    ("used", "limit", "pauses"),
    [(0.0, 60.0, 0), (0.001, 60.0, 0), (100.0, 60.0, 1), (100.0, 0.0, 1)],
    ids=["idle", "one look", "many looks", "at its limit"],
)
def test_look_is_held_back_once_a_wait_has_had_its_share_of_a_core(
    monkeypatch: pytest.MonkeyPatch, used: float, limit: float, pauses: int
) -> None:
    """For a moment only, and not beyond the wait's own limit."""
    found: list[float] = []
    waiting = PaneEvents(TerminalWatch("/dev/null"), -1, -1, os.getpid())
    with monkeypatch.context() as patch:
        start = waiting._used
        patch.setattr(time, "thread_time", lambda: start + used)
        patch.setattr(select, "select", lambda *words: found.append(words[3]))
        waiting._hold_back(Deadline(limit))
    assert len(found) == pauses
    assert all(pause <= min(events._HELD_BACK, limit) for pause in found)
