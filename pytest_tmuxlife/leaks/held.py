"""What survivors hold open, as far as it is worth naming.

Only looks: no descriptor of another process is opened. Read when a leak was
found, never for a clean test.

Source: proc_pid_fd(5), proc_pid_fdinfo(5).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.processes import ProcessInfo
from pytest_tmuxlife.leaks.leak import Descriptor
from pytest_tmuxlife.leaks.sockets import waiting_sockets

_SHOWN = 8
# A process with more than this many is not looked through to its end.
_LOOKED_AT = 2000
_MODES = {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "rw"}
_DELETED = " (deleted)"


def held_by(survivors: Iterable[ProcessInfo]) -> dict[int, tuple[Descriptor, ...]]:
    """The open descriptors of each survivor that are worth naming, by pid.

    Those are listeners with their address, files that it writes, deleted and
    memory files, named pipes, inotify instances, terminals, and pipes whose
    other end another survivor or this process has. At most 8 of each survivor,
    by number; where there are more, the kinds that come first in this list.
    """
    processes = list(survivors)
    open_in = {info.pid: list(_open_descriptors(info.pid)) for info in processes}
    scene = _Scene(pipes=_pipe_ends(processes, open_in))
    return {
        info.pid: tuple(_most_telling(scene.named(info.pid, open_in[info.pid])))
        for info in processes
    }


@dataclass(frozen=True, slots=True)
class _Open:
    """One descriptor as /proc shows it, before anything is known of it."""

    face: str
    number: int
    target: str

    @property
    def mode(self) -> str:
        """``r``, ``w``, ``rw``; empty if it is gone."""
        flags = self.lines("flags")
        return _MODES.get(int(flags[0], 8) & os.O_ACCMODE, "") if flags else ""

    def lines(self, name: str) -> list[str]:
        """What the lines of its fdinfo say that begin with *name*."""
        path = f"{self.face}/fdinfo/{self.number}"
        content = (procfs.read_bytes(path) or b"").decode("ascii", "replace")
        start = f"{name}:"
        return [
            line.removeprefix(start).strip()
            for line in content.splitlines()
            if line.startswith(start)
        ]

    @property
    def file_type(self) -> int:
        """As of stat(2); 0 if it is gone."""
        try:
            return stat.S_IFMT(os.stat(f"{self.face}/fd/{self.number}").st_mode)
        except OSError:
            return 0


def _open_descriptors(pid: int) -> Iterator[_Open]:
    face = procfs.face(pid)
    try:
        numbers = sorted(int(name) for name in os.listdir(f"{face}/fd"))
    except OSError:
        return
    for number in numbers[:_LOOKED_AT]:
        target = procfs.link(f"{face}/fd/{number}")
        if target is not None:
            yield _Open(face, number, target)


def _pipe_ends(
    survivors: Iterable[ProcessInfo], open_in: Mapping[int, Iterable[_Open]]
) -> dict[str, list[tuple[str, int, str]]]:
    """(mode, pid, name) of everybody that is known to have an end, by pipe."""
    us = os.getpid()
    names = {info.pid: f"{info.label} {info.pid}" for info in survivors}
    names[us] = f"pytest {us}"
    ends: dict[str, list[tuple[str, int, str]]] = {}
    everything = {**open_in, us: list(_open_descriptors(us))}
    for pid, descriptors in everything.items():
        for descriptor in descriptors:
            if descriptor.target.startswith("pipe:["):
                end = (descriptor.mode, pid, names[pid])
                ends.setdefault(descriptor.target, []).append(end)
    return ends


@dataclass(slots=True)
class _Scene:
    """What the descriptors of one survivor are named by."""

    pipes: Mapping[str, list[tuple[str, int, str]]]
    _sockets: dict[str | None, dict[str, str]] = field(default_factory=dict)

    def named(
        self, pid: int, descriptors: Iterable[_Open]
    ) -> Iterator[tuple[int, Descriptor]]:
        """(rank, descriptor) of those that are worth it."""
        for one in descriptors:
            found = self._name(pid, one)
            if found is not None:
                rank, target = found
                yield rank, Descriptor(one.number, one.mode, target)

    def _name(self, pid: int, one: _Open) -> tuple[int, str] | None:
        target = one.target
        if target.startswith("socket:["):
            return self._socket(one)
        if target.startswith("pipe:["):
            return self._pipe(pid, one)
        if target == "anon_inode:inotify":
            return _INOTIFY, f"inotify, {len(one.lines('inotify wd'))} watched"
        if target.startswith("/memfd:"):
            return _GONE, f"memfd {target[len('/memfd:') :].removesuffix(_DELETED)}"
        if target.startswith("/dev/pts/"):
            return _TERMINAL, target
        if target == "/dev/ptmx" or target.endswith("/ptmx"):
            numbers = one.lines("tty-index")
            return (_TERMINAL, f"master of /dev/pts/{numbers[0]}") if numbers else None
        if target.endswith(_DELETED):
            return _GONE, target
        if one.file_type == stat.S_IFIFO:
            return _FIFO, f"named pipe {target}"
        if one.file_type == stat.S_IFREG and one.mode != "r":
            return _WRITTEN, target
        return None

    def _socket(self, one: _Open) -> tuple[int, str] | None:
        namespace = procfs.link(f"{one.face}/ns/net")
        if namespace not in self._sockets:
            self._sockets[namespace] = waiting_sockets(one.face)
        inode = one.target.removeprefix("socket:[").rstrip("]")
        waits = self._sockets[namespace].get(inode)
        return (_LISTENER, waits) if waits else None

    def _pipe(self, pid: int, one: _Open) -> tuple[int, str] | None:
        """Nothing for a pipe that a program keeps to itself, or a stranger's."""
        mine = one.mode
        others = {
            name: None
            for mode, holder, name in self.pipes.get(one.target, ())
            if holder != pid and mode != mine
        }
        if not others:
            return None
        verb = "pipe from" if mine == "r" else "pipe to"
        return _PIPE, f"{verb} {', '.join(others)}"


_LISTENER, _WRITTEN, _GONE, _FIFO, _PIPE, _INOTIFY, _TERMINAL = range(7)


def _most_telling(found: Iterable[tuple[int, Descriptor]]) -> list[Descriptor]:
    """Those of the first ranks, in the order of their numbers."""
    kept = sorted(found, key=lambda entry: (entry[0], entry[1].number))[:_SHOWN]
    return sorted((one for _, one in kept), key=lambda one: one.number)
