"""Where descriptors and processes of this process come from.

An audit hook notes the place of each opening. It cannot be taken out again,
so one hook serves all runs of this process, and it does nothing while no
`Openings` listens. Pipes, dup, epoll, eventfd, memfd and openpty raise no
event: of those no place is known.

Source: sys.addaudithook, and the audit events table of Python's manual.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from pytest_tmuxlife.leaks.callers import PACKAGE, Caller, Place, caller
from pytest_tmuxlife.leaks.descriptors import OpenFile

# Kept on sys: a nested run that imports this module anew finds the hook there.
_SHARED = "_pytest_tmuxlife_openings"
# So many openings are kept before those are dropped that are closed again.
_KEPT = 4000
_PLACES_SHOWN = 3
SHARED_MEMORY = "/dev/shm/"


@dataclass(slots=True, eq=False)
class Opening:
    """One event.

    Attributes:
        kind: ``file``, ``socket``, ``shared memory`` or ``process``.
        place: Of the call; None where no frame but the library's was found.
        thread: Of the call, unless it was the main one.
        thread_name: Of that thread, as it may be gone when it is asked for.
        path: Of a file.
        flags: Of a file, as for open(2); None if they are not known.
        holder: The socket or Popen object.
        at: Of a process: seconds of the boot clock.
    """

    kind: str
    place: Place | None
    thread: weakref.ref[threading.Thread] | None = None
    thread_name: str = ""
    path: str = ""
    flags: int | None = None
    holder: weakref.ref[Any] | None = None
    at: float = 0.0


@dataclass(slots=True, eq=False)
class Openings:
    """Listens from `begin` to `end`; asked for places in between.

    Attributes:
        noted: Openings since the last `forget`, the oldest first.
        segments: Files below /dev/shm that were opened or mapped, by path.
        lost: How many events could not be noted.
        heard: How many were noted, forgotten ones too.
    """

    noted: list[Opening] = field(default_factory=list)
    segments: dict[str, Opening] = field(default_factory=dict)
    lost: int = 0
    heard: int = 0
    _limit: int = _KEPT

    def begin(self) -> None:
        """Listen."""
        listeners = _listeners()
        if self not in listeners:
            listeners.append(self)

    def end(self) -> None:
        """Listen no longer; what was noted is forgotten."""
        listeners = _listeners()
        if self in listeners:
            listeners.remove(self)
        self.forget()

    def forget(self) -> None:
        """Drop what was noted: nothing of it is asked for any more."""
        self.noted.clear()
        self.segments.clear()
        self._limit = _KEPT

    def note(self, opening: Opening) -> None:
        """Take an opening down; now and then drop what is closed again."""
        if opening.path.startswith(SHARED_MEMORY):
            self.segments.setdefault(opening.path, opening)
        self.heard += 1
        self.noted.append(opening)
        if len(self.noted) > self._limit:
            self.noted = _still_of_use(self.noted)
            self._limit = max(_KEPT, 2 * len(self.noted))

    def of_descriptor(self, file: OpenFile) -> list[Opening]:
        """Those that may have made this descriptor; most often there is one."""
        if file.is_socket:
            return [one for one in self.noted if _is_socket(one, file.number)]
        path = file.link.removesuffix(" (deleted)")
        found = [one for one in self.noted if _is_file(one, path, file)]
        return [one for one in found if one.flags is None or _same_mode(one, file)]

    def of_process(self, pid: int, started_at: float) -> list[Opening]:
        """Those that may have started this child."""
        spawned = [one for one in self.noted if one.kind == "process"]
        for one in spawned:
            holder = one.holder() if one.holder is not None else None
            if holder is not None and getattr(holder, "pid", None) == pid:
                return [one]
        # Without an object (os.fork, os.posix_spawn): the last before its start,
        # which is rounded down to a tick.
        earlier = [
            one for one in spawned if one.holder is None and one.at <= started_at + 0.01
        ]
        return earlier[-1:]


def shown(openings: list[Opening], root: str) -> str | None:
    """The places of *openings* in one line; None if none is known."""
    places = dict.fromkeys(
        one.place.shown(root) for one in openings if one.place is not None
    )
    return " or ".join(list(places)[-_PLACES_SHOWN:]) or None


def _is_socket(one: Opening, number: int) -> bool:
    if one.kind != "socket" or one.holder is None:
        return False
    sock = one.holder()
    return sock is not None and sock.fileno() == number


def _is_file(one: Opening, path: str, file: OpenFile) -> bool:
    if one.kind not in ("file", "shared memory"):
        return False
    if one.path == path or os.path.basename(one.path) == os.path.basename(path):
        return one.path == path or os.path.realpath(one.path) == path
    # A temporary file without a name is opened by its directory.
    return file.is_deleted and os.path.realpath(one.path) == os.path.dirname(path)


def _same_mode(one: Opening, file: OpenFile) -> bool:
    return one.flags is not None and not (one.flags ^ file.flags) & os.O_ACCMODE


def _still_of_use(noted: list[Opening]) -> list[Opening]:
    """Those whose file is open, whose socket or process is there."""
    names = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        path = target.removesuffix(" (deleted)")
        names |= {os.path.basename(path), os.path.basename(os.path.dirname(path))}

    def is_of_use(one: Opening) -> bool:
        if one.path:
            return os.path.basename(one.path) in names
        return one.holder is None or one.holder() is not None

    return [one for one in noted if is_of_use(one)]


# -- the hook ------------------------------------------------------------------


def _listeners() -> list[Openings]:
    listeners: list[Openings] | None = getattr(sys, _SHARED, None)
    if listeners is None:
        listeners = []
        setattr(sys, _SHARED, listeners)
        sys.addaudithook(_hook_for(listeners))
    return listeners


def _hook_for(listeners: list[Openings]) -> Callable[[str, tuple[Any, ...]], None]:
    makers = _MAKERS

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event not in makers or not listeners:
            return
        # Our own looks open files too, several for each test.
        if sys._getframe(1).f_code.co_filename.startswith(PACKAGE):
            return
        try:
            called = caller()
            opening = None if called is None else makers[event](args, called)
        except Exception:
            # Raised from here it would end what the tested code is doing.
            for listener in listeners:
                listener.lost += 1
            return
        if opening is not None:
            for listener in listeners:
                listener.note(opening)

    return hook


def _file(args: tuple[Any, ...], called: Caller) -> Opening | None:
    path, _, flags = args
    if isinstance(path, int):
        return None
    name = os.fsdecode(path)
    if not name.startswith("/"):
        name = os.path.join(os.getcwd(), name)
    return Opening("file", *called, path=name, flags=flags)


def _database(args: tuple[Any, ...], called: Caller) -> Opening | None:
    name = os.fsdecode(args[0])
    return Opening("file", *called, path=os.path.abspath(name))


def _mapping(args: tuple[Any, ...], called: Caller) -> Opening | None:
    # shm_open itself raises no event.
    if args[0] < 0:
        return None
    path = os.readlink(f"/proc/self/fd/{args[0]}")
    if not path.startswith(SHARED_MEMORY):
        return None
    return Opening("shared memory", *called, path=path)


def _socket(args: tuple[Any, ...], called: Caller) -> Opening | None:
    return Opening("socket", *called, holder=weakref.ref(args[0]))


def _process(_: tuple[Any, ...], called: Caller) -> Opening | None:
    # subprocess raises a second event for the same start.
    holder = _starter()
    return Opening(
        "process", *called, holder=holder, at=time.clock_gettime(time.CLOCK_BOOTTIME)
    )


def _starter() -> weakref.ref[Any] | None:
    """The object whose method starts the process; it will have the pid."""
    frame: FrameType | None = sys._getframe(3)
    if frame is None or not _is_starter(frame.f_code):
        return None
    starter = frame.f_locals.get("self")
    return None if starter is None else weakref.ref(starter)


def _is_starter(code: CodeType) -> bool:
    if code is subprocess.Popen._execute_child.__code__:  # type: ignore[attr-defined]
        return True
    return code.co_filename.endswith("multiprocessing/popen_fork.py")


_MAKERS: dict[str, Callable[[tuple[Any, ...], Caller], Opening | None]] = {
    "open": _file,
    "sqlite3.connect": _database,
    "mmap.__new__": _mapping,
    "socket.__new__": _socket,
    "subprocess.Popen": _process,
    "os.posix_spawn": _process,
    "os.fork": _process,
    "os.forkpty": _process,
}
