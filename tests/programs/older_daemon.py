"""A daemon that starts what it is asked for, as at(1) and cron do.

It leaves its parent, then reads one request a line from its standard input:
a file with an environment (as of ``env -0``), a tab, a shell line. It goes
with the end of its input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

if os.fork():
    os._exit(0)
os.setsid()
for request in sys.stdin:
    path, _, line = request.rstrip("\n").partition("\t")
    entries = Path(path).read_text().split("\0")
    subprocess.Popen(
        ["/bin/sh", "-c", f"exec {line}"],
        env=dict(entry.split("=", 1) for entry in entries if entry),
        stdin=subprocess.DEVNULL,
    )
