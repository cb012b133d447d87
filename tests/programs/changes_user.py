"""Gives up root for the user with the number in the first argument, and stays."""

from __future__ import annotations

import os
import signal
import sys

from ready import announce

user = int(sys.argv[1])
os.setgroups([])
os.setgid(user)
os.setuid(user)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
announce(os.getpid())
while True:
    signal.pause()
