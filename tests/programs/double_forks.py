"""Leaves a daemon behind, made by the book: fork, setsid, fork."""

from __future__ import annotations

import os
import signal

from ready import announce

read_end, write_end = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    if daemon := os.fork():
        os.write(write_end, str(daemon).encode())
        os._exit(0)
    while True:
        signal.pause()
os.waitpid(child, 0)
announce(int(os.read(read_end, 32)))
