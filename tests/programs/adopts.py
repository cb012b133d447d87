"""A child subreaper that ignores HUP, with an orphan that it has adopted."""

from __future__ import annotations

import ctypes
import os
import signal

from ready import announce

PR_SET_CHILD_SUBREAPER = 36

ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
read_end, write_end = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while os.getppid() == os.getsid(0):
            pass
        os.write(write_end, str(os.getpid()).encode())
        signal.pause()
    os._exit(0)
orphan = int(os.read(read_end, 16))
os.wait()
announce(os.getpid(), orphan)
signal.pause()
