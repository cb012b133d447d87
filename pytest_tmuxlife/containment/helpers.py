"""Which processes are our own helpers: reapers, and their supervisors.

They bear a variable in the environment that they were started with, which
no process of a test is given.
"""

from __future__ import annotations

from pytest_tmuxlife.containment import procfs

VARIABLE = "TMUXLIFE_HELPER"


def is_helper(pid: int) -> bool:
    """The process is a reaper or a supervisor, of this run or another."""
    return VARIABLE in procfs.environment(pid)
