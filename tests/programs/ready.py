"""Tells a test that a program misbehaves now, and when it is wholly gone.

The FIFO is opened at import and stays open in this process and in all that
it forks: its reader sees a hang-up once the last of them is gone, however
short each one lives.
"""

from __future__ import annotations

import os

_lifeline = os.open(os.environ["READY"], os.O_WRONLY)
os.set_inheritable(_lifeline, True)


def announce(*pids: int) -> None:
    """Name the processes that the test is to watch."""
    os.write(_lifeline, f"{' '.join(map(str, pids))}\n".encode())
