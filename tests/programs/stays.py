"""Does nothing, for ever. Arguments: signals to ignore, as ``HUP TERM``."""

from __future__ import annotations

import os
import signal
import sys

from ready import announce

for name in sys.argv[1:]:
    signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
announce(os.getpid())
while True:
    signal.pause()
