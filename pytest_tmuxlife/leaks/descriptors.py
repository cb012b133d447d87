"""The open descriptors of this process: which there are, and what each one is.

A look costs one fstat for each, and a listing if that shows a change; what a
descriptor is gets read only for those that are accused.

Source: proc_pid_fd(5), proc_pid_fdinfo(5).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_tmuxlife.containment import own, procfs

_LISTING = "/proc/self/fd"
_MODES = {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "rw"}
# Turned to other files and back, by pytest's capture among others.
STANDARD = (0, 1, 2)
_FAMILIES = {
    socket.AF_INET: "IPv4",
    socket.AF_INET6: "IPv6",
    socket.AF_UNIX: "UNIX",
    socket.AF_NETLINK: "netlink",
}
_TYPES = {socket.SOCK_STREAM: "stream", socket.SOCK_DGRAM: "datagram"}

# Number to (device, inode): who it is, also when the number is used again.
Snapshot = Mapping[int, tuple[int, int]]


class Descriptors:
    """The open descriptors of this process, looked at again and again."""

    def __init__(self) -> None:
        self._all: dict[int, tuple[int, int]] = {}
        self._found: Snapshot = {}

    def look(self) -> Snapshot:
        """Every open descriptor of this process, our own ones left out.

        The same object as the last time if nothing has changed since.
        """
        if not self._is_as_before():
            self._all = _list()
            is_own = own.is_own
            self._found = {
                number: file
                for number, file in self._all.items()
                if not is_own(number, *file)
            }
        return self._found

    def are_as_many(self, found: Snapshot) -> bool:
        """As in the last look, which gave *found*; False if that is not known.

        Source: proc_pid_fd(5): since Linux 6.2 the size of the directory is their
        number; before, and elsewhere, it is 0. A thread that waits in accept(2)
        has a number reserved already: with one of those, it never fits.
        """
        if found is not self._found or not self._all:
            return False
        return os.stat(_LISTING).st_size == len(self._all)

    def _is_as_before(self) -> bool:
        """There are as many as before, and each is what it was."""
        if not self.are_as_many(self._found):
            return False
        fstat = os.fstat
        try:
            for number, (device, inode) in self._all.items():
                now = fstat(number)
                if now.st_ino != inode or now.st_dev != device:
                    return False
        except OSError:
            return False
        return True


def _list() -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    fstat = os.fstat
    for name in os.listdir(_LISTING):
        number = int(name)
        try:
            now = fstat(number)
        except OSError:
            # The one that the listing itself was read by.
            continue
        found[number] = (now.st_dev, now.st_ino)
    return found


def compare(before: Snapshot, after: Snapshot) -> list[int]:
    """Numbers of *after* that are not, or are another file, in *before*.

    Standard streams that show what was open before are no news: pytest's
    capture turns them to a file of its own and back.
    """
    if before is after or before == after:
        return []
    known = set(before.values())
    return sorted(
        number
        for number, file in after.items()
        if before.get(number) != file and not (number in STANDARD and file in known)
    )


@dataclass(frozen=True, slots=True)
class OpenFile:
    """What one descriptor of this process is.

    Attributes:
        number: The descriptor.
        flags: As for open(2).
        link: Where its entry in /proc points: a path, ``pipe:[123]``...
        what: In words: a path, ``pipe (write end)``, ``listens on 127.0.0.1:80``.
        is_socket: It is a socket.
        is_deleted: It is a file without a name.
    """

    number: int
    flags: int
    link: str
    what: str
    is_socket: bool
    is_deleted: bool

    @property
    def mode(self) -> str:
        """``r``, ``w`` or ``rw``."""
        return _MODES.get(self.flags & os.O_ACCMODE, "")

    @property
    def target(self) -> str:
        """Number, direction and what it is: ``11w /var/log/agent.jsonl``."""
        mode = "" if self.is_socket else self.mode
        return f"{self.number}{mode} {self.what}"


def describe(number: int) -> OpenFile | None:
    """What a descriptor of this process is; None if it is closed meanwhile."""
    link = procfs.link(f"{_LISTING}/{number}")
    info = _info(number)
    try:
        found = os.fstat(number)
    except OSError:
        return None
    if link is None or info is None:
        return None
    flags = int(info.get("flags", "0"), 8)
    is_socket = stat.S_ISSOCK(found.st_mode)
    if is_socket:
        what = _socket(number)
    elif stat.S_ISFIFO(found.st_mode):
        what = _pipe(link, flags)
    else:
        what = _file(link, found.st_mode, info)
    return OpenFile(number, flags, link, what, is_socket, link.endswith(" (deleted)"))


def _info(number: int) -> dict[str, str] | None:
    content = procfs.read_bytes(f"/proc/self/fdinfo/{number}")
    if content is None:
        return None
    lines = content.decode("utf-8", "replace").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: value.strip() for name, value in pairs}


def _pipe(link: str, flags: int) -> str:
    if not link.startswith("pipe:"):
        return f"FIFO {link}"
    end = "read" if flags & os.O_ACCMODE == os.O_RDONLY else "write"
    return f"pipe ({end} end)"


def _file(link: str, mode: int, info: Mapping[str, str]) -> str:
    if link.startswith("anon_inode:"):
        name = link.removeprefix("anon_inode:").strip("[]")
        if name == "pidfd":
            return f"pidfd of process {info.get('Pid', '?')}"
        return "epoll" if name == "eventpoll" else name
    if link.startswith("/memfd:"):
        return f"memfd {link.removeprefix('/memfd:').removesuffix(' (deleted)')}"
    if link.startswith(("/dev/pts/", "/dev/ptmx")):
        return f"pseudoterminal {link}"
    if stat.S_ISDIR(mode):
        return f"directory {link}"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return f"device {link}"
    return link


def _socket(number: int) -> str:
    # A descriptor of its own, for the object closes what it holds.
    with socket.socket(fileno=os.dup(number)) as sock:
        family = _FAMILIES.get(sock.family, f"family {int(sock.family)}")
        kind = _TYPES.get(sock.type, f"type {int(sock.type)}")
        mine, theirs = _address(sock.getsockname), _address(sock.getpeername)
        if _listens(sock):
            return f"listens on {mine}"
        ends = " to ".join(end for end in (mine, theirs) if end)
        return f"{family} {kind} socket {ends}".rstrip()


def _listens(sock: socket.socket) -> bool:
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


def _address(ask: Callable[[], object]) -> str:
    try:
        address = ask()
    except OSError:
        return ""
    if isinstance(address, tuple) and len(address) >= 2:
        host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
        return f"{host}:{address[1]}"
    if isinstance(address, bytes):
        # The abstract name space begins with a zero byte.
        return os.fsdecode(address.replace(b"\0", b"@"))
    return str(address) if address else ""
