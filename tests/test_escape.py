"""How a survivor is told from what it only looks like."""

from __future__ import annotations

import subprocess
import sys

from pytest_tmuxlife.containment.processes import process_info
from pytest_tmuxlife.leaks.escape import is_multiplexer

# Named like a tmux server, with a child that has not reached its exec yet.
FORKS = """
import os, sys
from pytest_tmuxlife.containment import kernel
kernel.set_name("tmux: server")
child = os.fork()
if child == 0:
    os.read(0, 1)
    os._exit(0)
print(child, flush=True)
os.waitpid(child, 0)
"""


def test_child_of_a_server_before_its_exec_is_no_server() -> None:
    """It has the server's name still, and is the program of a pane in a moment."""
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        child = process_info(int(server.stdout.readline()))
        parent = process_info(server.pid)
        assert child is not None
        assert parent is not None
        assert child.name == parent.name == "tmux: server"
        assert is_multiplexer(parent)
        assert not is_multiplexer(child)
        server.communicate(b"x")
