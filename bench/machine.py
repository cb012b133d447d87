"""Where the figures come from, and the page that keeps them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("pytest-tmuxlife", "pytest", "libtmux", "pexpect", "psutil")
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "figures.md"
_INTRODUCTION = """\
# Figures

What it costs, beside bare tmux, libtmux and pexpect. All rows of a table were
taken in the same run, in turns; a ratio compares the median with that of the
first row, so it says more than the milliseconds do: another machine, or a newer
tmux, is slower in all rows alike. A target is what the row is held to.

This page is written by the command below. Take the figures again with it before
you rely on them elsewhere.
"""


def facts() -> str:
    """Kernel, cores and versions, one line each."""
    tmux = subprocess.run(
        ["tmux", "-V"], capture_output=True, text=True, check=True
    ).stdout.strip()
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    kernel = platform.release().split("-")[0]
    return "\n".join(
        (
            f"{platform.system()} {kernel} {platform.machine()}, "
            f"{os.cpu_count()} cores",
            f"{tmux}, Python {platform.python_version()}",
            packages,
            *_scheduling(),
        )
    )


def _scheduling() -> list[str]:
    """How it was kept apart from other work on the machine, if it was."""
    if os.sched_getscheduler(0) == os.SCHED_OTHER:
        return []
    return ["with real-time priority (chrt), beside other work"]


def page(command: str, blocks: Sequence[str]) -> str:
    """The text of the page."""
    shown = (f"$ {command}\n\n{facts()}", *blocks)
    return "\n".join([_INTRODUCTION, *(f"```text\n{block}\n```\n" for block in shown)])
