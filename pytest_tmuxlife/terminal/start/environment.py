"""The environment of tmux servers and panes: what is let through, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping

# What programs need to run as they do for the user, and nothing that carries
# the user's tmux, agents, displays or shell configuration along.
KEPT = (
    "CONDA_PREFIX",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "PYTHONPATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
)
_KEPT_PREFIXES = ("LC_",)
_NEVER = ("TMUX", "TMUX_PANE", "TMUX_TMPDIR", "PYTEST_CURRENT_TEST", "COLUMNS", "LINES")
_NEVER_PREFIXES = ("TMUXLIFE_", "PYTEST_XDIST_")
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def is_kept(name: str) -> bool:
    """True for a variable that panes get from pytest's own environment."""
    return name in KEPT or name.startswith(_KEPT_PREFIXES)


def _is_barred(name: str) -> bool:
    return name in _NEVER or name.startswith(_NEVER_PREFIXES)


def clean_environment(
    now: Mapping[str, str], at_start: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What a tmux server gets of *now*.

    Args:
        now: The environment as the test sees it.
        at_start: As it was when pytest started: what differs from it, the
            test or a fixture has set (monkeypatch), so it goes along.
    """
    if at_start is None:
        at_start = now
    chosen = {
        name: value
        for name, value in now.items()
        if (is_kept(name) or at_start.get(name) != value) and not _is_barred(name)
    }
    chosen.setdefault("PATH", _DEFAULT_PATH)
    if not any(name in chosen for name in ("LC_ALL", "LC_CTYPE", "LANG")):
        # tmux refuses to start, and editors of lines count wrongly, without
        # a UTF-8 locale.
        chosen["LC_CTYPE"] = "C.UTF-8"
    return chosen


def reaching(server_directory: str, base: Mapping[str, str]) -> dict[str, str]:
    """An environment in which a bare ``tmux`` reaches the server there.

    Source: tmux(1), TMUX_TMPDIR.
    """
    environment = {
        name: value for name, value in base.items() if name not in ("TMUX", "TMUX_PANE")
    }
    environment["TMUX_TMPDIR"] = server_directory
    return environment


def snapshot() -> dict[str, str]:
    """os.environ as a dict of its own."""
    return dict(os.environ)
