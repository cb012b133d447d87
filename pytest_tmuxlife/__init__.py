"""pytest fixtures for programs in tmux, and proof that nothing outlives a test.

Names are imported when they are first used: the helper processes live in
this package too, and start in a few milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.processes import ProcessInfo
    from pytest_tmuxlife.errors import (
        CommandFailed,
        CommandTimeout,
        ExpectationFailed,
        LeakError,
        PaneDied,
        PaneNotReady,
        ReaperDied,
        ServerNotRunning,
        ServerStillAlive,
        SocketPathTooLong,
        TmuxLifeError,
        TmuxNotFound,
        WaitTimeout,
    )
    from pytest_tmuxlife.fixtures import (
        ClientFactory,
        LeakCheck,
        ServerFactory,
        SnapshotCheck,
    )
    from pytest_tmuxlife.leaks.leak import Leak
    from pytest_tmuxlife.terminal.attached import AttachedClient
    from pytest_tmuxlife.terminal.dialogue.exits import ExitStatus
    from pytest_tmuxlife.terminal.dialogue.stream import LineStream
    from pytest_tmuxlife.terminal.expectation import Expectation, expect
    from pytest_tmuxlife.terminal.health import Health
    from pytest_tmuxlife.terminal.pane import Pane
    from pytest_tmuxlife.terminal.programs.presets import (
        BASH,
        DASH,
        FISH,
        GDB,
        NODE,
        PYTHON,
        SQLITE,
        ZSH,
    )
    from pytest_tmuxlife.terminal.programs.program import Program
    from pytest_tmuxlife.terminal.server import Server
    from pytest_tmuxlife.terminal.session import Session
    from pytest_tmuxlife.terminal.sight.command import CommandResult
    from pytest_tmuxlife.terminal.sight.screen import Screen
    from pytest_tmuxlife.terminal.tmux.client import TmuxReply

_HOMES = {
    "containment.processes": ("ProcessInfo",),
    "errors": (
        "CommandFailed",
        "CommandTimeout",
        "ExpectationFailed",
        "LeakError",
        "PaneDied",
        "PaneNotReady",
        "ReaperDied",
        "ServerNotRunning",
        "ServerStillAlive",
        "SocketPathTooLong",
        "TmuxLifeError",
        "TmuxNotFound",
        "WaitTimeout",
    ),
    "fixtures": ("ClientFactory", "LeakCheck", "ServerFactory", "SnapshotCheck"),
    "leaks.leak": ("Leak",),
    "terminal.attached": ("AttachedClient",),
    "terminal.dialogue.exits": ("ExitStatus",),
    "terminal.dialogue.stream": ("LineStream",),
    "terminal.expectation": ("Expectation", "expect"),
    "terminal.health": ("Health",),
    "terminal.pane": ("Pane",),
    "terminal.programs.presets": (
        "BASH",
        "DASH",
        "FISH",
        "GDB",
        "NODE",
        "PYTHON",
        "SQLITE",
        "ZSH",
    ),
    "terminal.programs.program": ("Program",),
    "terminal.server": ("Server",),
    "terminal.session": ("Session",),
    "terminal.sight.command": ("CommandResult",),
    "terminal.sight.screen": ("Screen",),
    "terminal.tmux.client": ("TmuxReply",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "BASH",
    "DASH",
    "FISH",
    "GDB",
    "NODE",
    "PYTHON",
    "SQLITE",
    "ZSH",
    "AttachedClient",
    "ClientFactory",
    "CommandFailed",
    "CommandResult",
    "CommandTimeout",
    "ExitStatus",
    "Expectation",
    "ExpectationFailed",
    "Health",
    "Leak",
    "LeakCheck",
    "LeakError",
    "LineStream",
    "Pane",
    "PaneDied",
    "PaneNotReady",
    "ProcessInfo",
    "Program",
    "ReaperDied",
    "Screen",
    "Server",
    "ServerFactory",
    "ServerNotRunning",
    "ServerStillAlive",
    "Session",
    "SnapshotCheck",
    "SocketPathTooLong",
    "TmuxLifeError",
    "TmuxNotFound",
    "TmuxReply",
    "WaitTimeout",
    "expect",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME_OF]
