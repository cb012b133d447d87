"""What is no leak of a test, though it appeared during it: each by name.

By identity, never by a text: another thing that looks alike is found.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.leaks.baseline import Thing
from pytest_tmuxlife.leaks.openings import Opening


@dataclass(frozen=True, slots=True)
class Exemption:
    """One reason for which nobody is accused.

    Attributes:
        applies: Given the thing and what may have opened it.
        reason: Why it may stay.
    """

    applies: Callable[[Thing, Sequence[Opening]], bool]
    reason: str


def _of_module(module: str, *names: str) -> Any:
    """An attribute of a module that is loaded, else None."""
    value: Any = sys.modules.get(module)
    for name in names:
        value = getattr(value, name, None)
    return value


def is_resource_tracker(thing: Thing, _: Sequence[Opening]) -> bool:
    """The process, or the pipe to it."""
    tracker = ("multiprocessing.resource_tracker", "_resource_tracker")
    return _is_either(thing, _of_module(*tracker, "_pid"), _of_module(*tracker, "_fd"))


def is_fork_server(thing: Thing, _: Sequence[Opening]) -> bool:
    """The process, or the pipe by which it knows that this one lives."""
    server = ("multiprocessing.forkserver", "_forkserver")
    return _is_either(
        thing,
        _of_module(*server, "_forkserver_pid"),
        _of_module(*server, "_forkserver_alive_fd"),
    )


def _is_either(thing: Thing, pid: object, descriptor: object) -> bool:
    if thing.sort == "process":
        return thing.number == pid
    return thing.sort == "descriptor" and thing.number == descriptor


def is_multiprocessing_heap(thing: Thing, _: Sequence[Opening]) -> bool:
    """An arena of the heap that all shared values of a process come from."""
    heap = _of_module("multiprocessing.heap", "BufferWrapper", "_heap")
    arenas = getattr(heap, "_arenas", ())
    if thing.sort != "descriptor":
        return False
    # Its mapping holds a second descriptor of the same file.
    files = [os.fstat(arena.fd) for arena in arenas if arena.fd >= 0]
    return thing.identity in [(file.st_dev, file.st_ino) for file in files]


def is_loaded_library(thing: Thing, openings: Sequence[Opening]) -> bool:
    """The file of a library whose code is loaded, opened by no code of Python's.

    libffi opens its own when ctypes makes the first callback, and maps parts of it.
    """
    if thing.sort != "descriptor" or openings:
        return False
    return thing.identity in _loaded_files()


def _loaded_files() -> set[tuple[int, int]]:
    """Device and inode of the files that this process has mapped as code.

    Source: proc_pid_maps(5).
    """
    maps = procfs.read_bytes("/proc/self/maps") or b""
    rows = [line.split(maxsplit=5) for line in maps.splitlines()]
    paths = {row[5] for row in rows if len(row) == 6 and b"x" in row[1]}
    found: set[tuple[int, int]] = set()
    for path in paths:
        with contextlib.suppress(OSError):
            file = os.stat(path)
            found.add((file.st_dev, file.st_ino))
    return found


def is_opened_by_an_import(_: Thing, openings: Sequence[Opening]) -> bool:
    """A module's own, opened while its body ran for the first time."""
    return bool(openings) and all(
        one.place is not None and one.place.is_import for one in openings
    )


def is_opened_by_a_plugin(_: Thing, openings: Sequence[Opening]) -> bool:
    """A hook of an installed plugin did it, with no code of the user's between."""
    return bool(openings) and all(
        one.place is not None and one.place.is_plugin for one in openings
    )


EXEMPTIONS = (
    Exemption(
        is_resource_tracker, "multiprocessing starts it once, for the whole process"
    ),
    Exemption(is_fork_server, "multiprocessing starts it once, for the whole process"),
    Exemption(
        is_multiprocessing_heap, "multiprocessing keeps its heap for the whole process"
    ),
    Exemption(
        is_loaded_library, "it belongs to the library, which stays loaded: libffi"
    ),
    Exemption(is_opened_by_an_import, "it belongs to the module, which stays loaded"),
    Exemption(is_opened_by_a_plugin, "it belongs to the plugin, not to the test"),
)


def exemption_for(thing: Thing, openings: Sequence[Opening]) -> Exemption | None:
    """The first that applies."""
    return next((one for one in EXEMPTIONS if one.applies(thing, openings)), None)
