"""Starts a child and stays with it. Arguments: signals that both ignore."""

from __future__ import annotations

import os
import signal
import sys

from ready import announce

for name in sys.argv[1:]:
    signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
child = os.fork()
if child:
    announce(os.getpid(), child)
while True:
    signal.pause()
