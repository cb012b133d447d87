"""Which layers find what a test leaves, and why one of them is off.

Lineage is the surest: all that descends from a supervisor. A cgroup also has
what an older process adopted; the marker, what an older daemon started with
a copy of the environment.
"""

from __future__ import annotations

import sys

from pytest_tmuxlife.containment import cgroup

# The surest first.
LAYERS = ("lineage", "cgroup", "session", "marker")
SWITCHED = ("subreaper", "cgroup")
_SWITCHED_OFF = "switched off by tmux_without"


def parse_without(text: str) -> frozenset[str]:
    """The words of the setting ``tmux_without``.

    Raises:
        ValueError: One of them means nothing; says which do.
    """
    words = frozenset(text.replace(",", " ").split())
    if not words.issubset(SWITCHED):
        raise ValueError(f"expected some of {', '.join(SWITCHED)}")
    return words


def active(without: frozenset[str]) -> list[str]:
    """The layers that are in use, the surest first; costs a few reads."""
    off = {
        # It stands in for what a subreaper holds.
        "session": not why_no_subreaper(without),
        "cgroup": bool(why_no_cgroup(without)),
    }
    return [layer for layer in LAYERS if not off.get(layer)]


def in_words(without: frozenset[str]) -> str:
    """The active layers, and why one of them is not whole or off, in one line.

    Starts nothing; costs a few reads.
    """
    reasons = {
        "no child subreaper": why_no_subreaper(without),
        "no cgroup": why_no_cgroup(without),
    }
    missing = [f"{what}: {why}" for what, why in reasons.items() if why]
    remark = f" ({'; '.join(missing)})" if missing else ""
    return ", ".join(active(without)) + remark


def why_no_subreaper(without: frozenset[str]) -> str:
    """Why orphans are not adopted by their supervisor; "" if they are."""
    if "subreaper" in without:
        return _SWITCHED_OFF
    return "" if sys.platform == "linux" else f"{sys.platform} has none"


def why_no_cgroup(without: frozenset[str]) -> str:
    """Why no cgroup is made; "" if one is."""
    return _SWITCHED_OFF if "cgroup" in without else cgroup.find_home()[1]
