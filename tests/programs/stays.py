"""Does nothing, for ever. Arguments: signals to ignore, as ``HUP TERM``."""

from __future__ import annotations

import os
import signal
import sys

from ready import announce

for name in sys.argv[1:]:
    signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
# In the numbers of whoever reads /proc, also from a PID namespace of our own.
announce(int(os.readlink("/proc/self")))
while True:
    signal.pause()
