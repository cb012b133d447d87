"""Starts a child in a Unix session of its own when it is hung up on, and exits."""

from __future__ import annotations

import os
import signal

from ready import announce


def fork_and_exit(*_: object) -> None:
    # HUP comes twice, from the terminal and from the shell.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    while True:
        signal.pause()


signal.signal(signal.SIGHUP, fork_and_exit)
announce(os.getpid())
while True:
    signal.pause()
