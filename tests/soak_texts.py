"""Ten thousand texts and more, where the suite sends a few."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# Of one text, on a busy machine; a run is cut off after so many of them.
_SECONDS = 1.0


def texts_case(count: int) -> str:
    """What pytest printed if a text went wrong, else nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-n", "2", str(HERE / "test_texts.py")],
        cwd=HERE.parent,
        env={**os.environ, "SOAK_TEXTS": str(count)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600 + 15 * count * _SECONDS,
    )
    return "" if done.returncode == 0 else done.stdout[-20_000:] + done.stderr[-2000:]
