"""Handles SIGHUP as daemons do, to read their configuration again, and stays."""

from __future__ import annotations

import os
import signal

from ready import announce

signal.signal(signal.SIGHUP, lambda *_: None)
announce(os.getpid())
while True:
    signal.pause()
