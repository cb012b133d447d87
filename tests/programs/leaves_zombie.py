"""Ignores SIGHUP, and a child that has exited."""

from __future__ import annotations

import os
import signal

from ready import announce

signal.signal(signal.SIGHUP, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os._exit(3)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
announce(os.getpid(), child)
while True:
    signal.pause()
