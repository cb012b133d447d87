"""One thing that was left, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_tmuxlife.containment.processes import ProcessInfo

Kind = Literal[
    "process",
    "zombie",
    "descriptor",
    "socket",
    "shared memory",
    "tmux server",
    "session",
    "window",
    "pane",
]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """An open descriptor of a survivor that is worth naming.

    Attributes:
        number: The descriptor.
        mode: ``r``, ``w`` or ``rw``.
        target: The path, or what it is.
    """

    number: int
    mode: str
    target: str

    def __str__(self) -> str:
        return f"{self.number}{self.mode} {self.target}"


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that outlived its test.

    Attributes:
        kind: What sort of thing.
        why: How it escaped, in words.
        seen_by: The layers that found it, the surest first.
        process: The process, if it is one.
        opened_at: Where a descriptor was opened, or what else was started or
            made, if that is known: ``FILE:LINE FUNCTION()``.
        advice: What to do about it, one line.
        started_by: Who started it, as far as the noted tree tells.
        cwd: Its working directory, or "".
        memory: Resident bytes.
        user: Name of its user.
        descriptors: Open ones worth naming.
        target: What it is, if it is no process: ``11w /var/log/agent.jsonl`` for a
            descriptor, else a path or an id.
        is_missing: The contrary: it was there before the test, and is gone.
    """

    kind: Kind
    why: str
    seen_by: tuple[str, ...]
    process: ProcessInfo | None
    opened_at: str | None
    advice: str
    started_by: str = ""
    cwd: str = ""
    memory: int = 0
    user: str = ""
    descriptors: tuple[Descriptor, ...] = ()
    target: str = ""
    is_missing: bool = False

    @property
    def name(self) -> str:
        """What to call it in one line."""
        if self.process is None:
            return f"{self.kind} {self.target}".rstrip()
        return f"{self.process.label} {self.process.pid}"

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"
