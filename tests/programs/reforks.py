"""A chain without end: each link starts the next one and exits 2 ms later."""

from __future__ import annotations

import os
import signal

from ready import announce

LINKS_BEFORE_READY = 5

if os.fork():
    os._exit(0)
os.setsid()
for number in range(10**9):
    if os.fork():
        os._exit(0)
    signal.sigtimedwait([], 0.002)
    if number == LINKS_BEFORE_READY:
        announce()
