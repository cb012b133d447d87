"""Takes a second to clean up when it is hung up on, then writes ``cleaned``."""

from __future__ import annotations

import os
import pathlib
import signal

from ready import announce

# Blocked, so that a second HUP does not cut the second short.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
announce(os.getpid())
signal.sigwait([signal.SIGHUP])
signal.sigtimedwait([], 1.0)
pathlib.Path("cleaned").touch()
