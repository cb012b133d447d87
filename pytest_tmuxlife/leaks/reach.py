"""What objects hold: descriptors, processes and threads that can be reached.

Asked only about something that is about to be accused: is it held by the
value of a fixture that still lives?
"""

from __future__ import annotations

import gc
import io
import select
import socket
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    GeneratorType,
    ModuleType,
)

# Objects that are looked at before it gives up: what is not found is not held.
_LIMIT = 200_000
# Whoever reaches these reaches everything.
_CLOSED_DOORS = (ModuleType, type, BuiltinFunctionType, CodeType, str, bytes, int)
_RUNNER = ("_pytest.", "pluggy.", "xdist.", "pytest_tmuxlife.")


@dataclass(slots=True)
class Reach:
    """What some objects hold.

    Attributes:
        descriptors: Open ones of files, sockets, epolls and connections.
        pids: Of Popen objects and their like.
        threads: Objects.
    """

    descriptors: set[int] = field(default_factory=set)
    pids: set[int] = field(default_factory=set)
    threads: set[threading.Thread] = field(default_factory=set)


def reach(roots: Iterable[object]) -> Reach:
    """Follow the references from *roots*, not into modules, classes or pytest."""
    found = Reach()
    seen: set[int] = set()
    queue = [root for root in roots if root is not None]
    while queue and len(seen) < _LIMIT:
        now = queue.pop()
        if id(now) in seen or isinstance(now, _CLOSED_DOORS) or _is_runners(now):
            continue
        seen.add(id(now))
        _take(now, found)
        queue += _below(now)
    return found


def _is_runners(value: object) -> bool:
    return f"{type(value).__module__}.".startswith(_RUNNER)


def _below(value: object) -> list[object]:
    if isinstance(value, FunctionType):
        # Not its globals.
        cells = [cell for cell in value.__closure__ or () if _is_filled(cell)]
        return [cell.cell_contents for cell in cells] + list(value.__defaults__ or ())
    if isinstance(value, GeneratorType):
        return [value.gi_frame] if value.gi_frame is not None else []
    if isinstance(value, FrameType):
        return list(value.f_locals.values())
    return gc.get_referents(value)


def _is_filled(cell: object) -> bool:
    return bool(gc.get_referents(cell))


def _take(value: object, found: Reach) -> None:
    if isinstance(value, (io.FileIO, socket.socket, select.epoll)):
        if not _is_closed(value):
            found.descriptors.add(value.fileno())
    elif isinstance(value, subprocess.Popen):
        found.pids.add(value.pid)
    elif isinstance(value, threading.Thread):
        found.threads.add(value)
    elif type(value).__module__.startswith("multiprocessing."):
        _take_of_multiprocessing(value, found)


def _is_closed(value: io.FileIO | socket.socket | select.epoll) -> bool:
    return value.fileno() < 0 if isinstance(value, socket.socket) else value.closed


def _take_of_multiprocessing(value: object, found: Reach) -> None:
    # Its connections, queues and processes hold bare numbers.
    for name, into in (
        ("_handle", found.descriptors),
        ("sentinel", found.descriptors),
        ("pid", found.pids),
        ("_fd", found.descriptors),
    ):
        number = vars(value).get(name) if hasattr(value, "__dict__") else None
        if isinstance(number, int) and not isinstance(number, bool):
            into.add(number)
