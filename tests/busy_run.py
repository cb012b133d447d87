"""A run in which something of every kind is going on, for a kill at any moment."""

from __future__ import annotations

BUSY_TESTS = 7
# Of those leak.
BUSY_LEAKS = 3
BUSY = """
import multiprocessing
import os

import pytest


@pytest.fixture(autouse=True)
def pool():
    if "INNER_POOL" not in os.environ:
        yield
        return
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
        yield


def test_commands(tmux_pane):
    for number in range(20):
        assert tmux_pane.run(f"echo {number}").exit_code == 0


def test_servers(tmux_server_factory):
    for server in [tmux_server_factory() for _ in range(3)]:
        server.new_session().pane.run("sleep 1000 &")


def test_leak(stubborn):
    stubborn()


def test_leaks_of_two_servers(stubborn, tmux_pane):
    stubborn()
    tmux_pane.run("setsid nohup sh -c 'sleep 1000 & sleep 1000' > /dev/null 2>&1 &")


def test_shared_server(tmux_shared_server):
    session = tmux_shared_server.new_session()
    session.pane.run("sleep 1000 &")
    session.kill()


def test_leak_on_the_shared_server(tmux_shared_server):
    pane = tmux_shared_server.new_session("forgotten").pane
    pane.run("setsid nohup sh -c 'sleep 1000 & sleep 1000' > /dev/null 2>&1 &")


def test_pane(tmux_pane):
    tmux_pane.run("seq 2000")
"""
# Short graces: more of the run is spent in what a kill could disturb.
BUSY_OPTIONS = ("-v", "-o", "tmux_leak_grace=0.2", "-o", "tmux_kill_grace=0.1")
