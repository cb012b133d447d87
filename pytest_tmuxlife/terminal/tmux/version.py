"""Which tmux this is, and whether it is new enough."""

from __future__ import annotations

import re
import subprocess

OLDEST = (3, 2)


def parse_version(output: str) -> tuple[int, int] | None:
    """Major and minor number from ``tmux -V``; None if there are none.

    Letters behind are fixes (3.3a); ``next-3.8`` and ``master`` are newer
    than any release.
    """
    if "master" in output:
        return (99, 0)
    match = re.search(r"(\d+)\.(\d+)", output)
    return (int(match[1]), int(match[2])) if match else None


def why_too_old(output: str, tmux: str) -> str | None:
    """The reason why this tmux cannot be used; None if it can."""
    version = parse_version(output)
    if version is None:
        return f"{tmux} -V printed {output!r}, which names no version"
    if version < OLDEST:
        return (
            f"{output} is too old: tmux {OLDEST[0]}.{OLDEST[1]} or newer is needed "
            f"(found at {tmux})"
        )
    return None


def version_of(tmux: str, timeout: float = 10.0) -> str | None:
    """What ``tmux -V`` prints; None if it fails or takes longer than *timeout* s."""
    try:
        done = subprocess.run([tmux, "-V"], capture_output=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stdout.decode("utf-8", "backslashreplace").strip()
    return text if done.returncode == 0 and text else None
