"""What every preset must do, many times over on a busy machine."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
# Of test_programs.py: prompt, several lines, an error, a crash, C-c, the end.
TESTS = (
    "prompt_is_there_when_the_pane_is_made",
    "input_of_several_lines_is_typed_as_it_is_asked_for",
    "error_is_shown_with_its_status",
    "crash_ends_the_run_at_once",
    "interrupt_leads_back_to_the_prompt",
    "quit_ends_the_program",
)
_BUSY_LOOPS = 2
# Seconds; a run takes about ten.
_LIMIT = 600


def presets_case() -> str:
    """What pytest printed if a test of the presets failed, else nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-n", "4", "-k", " or ".join(TESTS), str(HERE / "test_programs.py")]
    with busy_loops(_BUSY_LOOPS):
        done = subprocess.run(
            command,
            cwd=HERE.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT,
        )
    return "" if done.returncode == 0 else done.stdout[-20_000:] + done.stderr[-2000:]


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that do nothing but run, and end by themselves at last."""
    command = ["timeout", str(_LIMIT + 60), "sh", "-c", "while :; do :; done"]
    loops = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.terminate()
            loop.wait()
