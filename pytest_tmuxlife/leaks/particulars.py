"""What a line of a report says of one process or descriptor: pure text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_tmuxlife.leaks.leak import Descriptor, Leak

_COMMAND_SHOWN = 200
_SURROGATE = re.compile("[\ud800-\udfff]")
_VERBS = {
    "descriptor": "opened",
    "process": "started",
    "zombie": "started",
    "tmux server": "started",
}


def _escaped(match: re.Match[str]) -> str:
    # Undecodable bytes are 0xdc00 and the byte: os.fsdecode.
    code = ord(match[0])
    return f"\\x{code & 0xFF:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def encodable(text: str) -> str:
    """Text for any encoding: odd bytes are escaped, control characters stay."""
    return _SURROGATE.sub(_escaped, text)


def printable(text: str) -> str:
    """Text for a terminal: odd bytes and control characters are escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in encodable(text)
    )


def duration(seconds: float) -> str:
    """An age for people."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def size(number: int) -> str:
    """Bytes for people, in units of 1024."""
    if number < 1 << 20:
        return f"{number / (1 << 10):.0f} kB"
    if number < 1 << 30:
        return f"{number / (1 << 20):.1f} MB"
    return f"{number / (1 << 30):.1f} GB"


def shortened(command_line: str) -> str:
    """A command line that fits a few rows of a terminal."""
    if len(command_line) <= _COMMAND_SHOWN:
        return command_line
    return command_line[: _COMMAND_SHOWN - 3] + "..."


def found_by(leak: Leak) -> str:
    """The layers that made up for lineage, where that did not see it."""
    if "lineage" in leak.seen_by:
        return ""
    return f", found by {' and '.join(leak.seen_by)}"


def origin(kind: str, opened_at: str | None) -> str:
    """``opened in agent.py:41 deploy()``, or "" where the place is unknown."""
    return f"{_VERBS.get(kind, 'made')} in {opened_at}" if opened_at else ""


def condition(leak: Leak) -> str:
    """``ALIVE 12.1 s`` for a process, and ``ZOMBIE`` for one that has exited."""
    process = leak.process
    assert process is not None
    is_zombie = process.is_zombie or leak.kind == "zombie"
    return f"{'ZOMBIE' if is_zombie else 'ALIVE'} {duration(process.age)}"


def details(leak: Leak, above: Leak | None, adopter: int) -> Iterator[str]:
    """Further lines of a process: what it runs and holds, where, and who it is.

    Args:
        leak: The process.
        above: Its parent, if that is a leak too: what they share is said once.
        adopter: Pid of the supervisor that orphans end up at.
    """
    process = leak.process
    assert process is not None
    if process.command:
        yield shortened(process.command_line)
    yield from _grouped(leak.descriptors)
    if leak.cwd and (above is None or above.cwd != leak.cwd):
        yield f"cwd {leak.cwd}"
    adopted = " (adopted)" if process.ppid == adopter else ""
    facts = [
        f"ppid {process.ppid}{adopted}",
        f"pgid {process.pgid}",
        f"sid {process.sid}",
        process.terminal or "no terminal",
    ]
    if leak.memory:
        facts.append(size(leak.memory))
    yield "  ".join(facts)


def _grouped(descriptors: Sequence[Descriptor]) -> Iterator[str]:
    """One line for each target: ``fd 1,2w /path``; listeners have no direction."""
    numbers: dict[tuple[str, str], list[str]] = {}
    for descriptor in descriptors:
        waits = descriptor.target.startswith(("listens on", "receives on"))
        mode = "" if waits else descriptor.mode
        numbers.setdefault((mode, descriptor.target), []).append(str(descriptor.number))
    for (mode, target), which in numbers.items():
        yield f"fd {','.join(which)}{mode} {target}"
