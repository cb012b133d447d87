"""Leaves a child behind that is stopped, in a Unix session of its own."""

from __future__ import annotations

import os
import signal

from ready import announce

child = os.fork()
if child == 0:
    os.setsid()
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        signal.pause()
os.waitpid(child, os.WUNTRACED)
announce(child)
