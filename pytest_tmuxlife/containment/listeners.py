"""tmux servers that tested code has started, known by their sockets.

A server that daemonizes descends from nobody, but its socket stands in a
directory of ours, and the kernel says who listens there.

Source: unix(7), SO_PEERCRED; tmux(1), TMUX_TMPDIR.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from contextlib import suppress

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.files import unlink_if_there

_CREDENTIALS = struct.Struct("3i")


def sockets_in(directory: str) -> dict[str, int]:
    """Inodes by path of the sockets that tmux has below a TMUX_TMPDIR."""
    place = f"{directory}/tmux-{os.geteuid()}"
    if not os.access(place, os.F_OK):
        # Far cheaper than an error, and asked for at each end of each test.
        return {}
    try:
        with os.scandir(place) as entries:
            return {
                entry.path: entry.inode()
                for entry in entries
                if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
            }
    except OSError:
        return {}


def listener(path: str) -> int | None:
    """Pid of the process that listens on a socket; None if nobody does.

    The kernel tells who called listen(2); it counts only if that process
    holds the socket still, for its pid may be another one's by now.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        # A server that is stopped does not take a full queue of clients.
        sock.setblocking(False)
        try:
            sock.connect(path)
            given = sock.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
            )
        except OSError:
            return None
    pid, _, _ = _CREDENTIALS.unpack(given)
    return pid if pid > 0 and _holds(pid, path) else None


def _holds(pid: int, path: str) -> bool:
    inodes = {
        words[6]
        for line in (procfs.read_bytes("/proc/net/unix") or b"").splitlines()
        if len(words := line.split()) == 8 and words[7] == os.fsencode(path)
    }
    targets = {f"socket:[{inode.decode()}]" for inode in inodes}
    with suppress(OSError):
        return any(
            procfs.link(f"/proc/{pid}/fd/{number}") in targets
            for number in os.listdir(f"/proc/{pid}/fd")
        )
    return False


def forget(path: str) -> None:
    """Remove a socket that nobody listens on any more."""
    if listener(path) is None:
        unlink_if_there(path)
