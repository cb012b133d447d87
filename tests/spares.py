"""Inner tests that can see the server which is started before the next test."""

from __future__ import annotations

# `spare_pid` returns once it runs; `pids` has the server of each test that ran.
CONFTEST = """
import os
import select

import pytest
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.hooks.stash import HARNESS_KEY

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def spares(request):
    return request.config.stash[HARNESS_KEY].spares


@pytest.fixture
def spare_pid(_tmux_keeper, spares):
    def spare_pid():
        ready = spares.ready
        assert ready is not None
        deadline = Deadline(60)
        while not ready.supervisor.look().server:
            assert not deadline.expired
            select.select([], [], [], 0.005)
        (pid,) = ready.supervisor.look().children
        return pid
    return spare_pid


@pytest.fixture(scope="session")
def pids():
    return []
"""
