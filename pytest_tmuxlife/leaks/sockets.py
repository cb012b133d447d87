"""Addresses of the sockets that wait for somebody, by inode.

What /proc/PID/net shows is that of the process's network namespace.

Source: proc_pid_net(5); net/unix/af_unix.c, unix_seq_show; tcp(7), udp(7).
"""

from __future__ import annotations

import os
import socket
import sys

from pytest_tmuxlife.containment import procfs

# include/net/tcp_states.h: TCP_LISTEN, and what an unconnected UDP socket shows.
_TCP_LISTENS = "0A"
_UDP_IS_OPEN = "07"
# include/uapi/linux/net.h: __SO_ACCEPTCON among the flags of a Unix socket.
_ACCEPTS = 0x10000
_UNIX_DATAGRAM = "0002"
_FAMILIES = {
    "tcp": (socket.AF_INET, _TCP_LISTENS, "listens on"),
    "tcp6": (socket.AF_INET6, _TCP_LISTENS, "listens on"),
    "udp": (socket.AF_INET, _UDP_IS_OPEN, "receives on udp"),
    "udp6": (socket.AF_INET6, _UDP_IS_OPEN, "receives on udp"),
}


def waiting_sockets(face: str) -> dict[str, str]:
    """What the sockets of a network namespace wait on, by their inodes.

    ``listens on 127.0.0.1:8080``, ``listens on [::1]:8080``, ``listens on
    /run/agent.sock``, ``listens on @abstract``, ``receives on udp 127.0.0.1:53``,
    ``receives on /dev/log``. A path is the one that it was bound to, which can be
    relative. Sockets that are connected, or have no address, are not in it.

    Args:
        face: Directory of a process in /proc; the namespace is its own.
    """
    found: dict[str, str] = {}
    for name, (family, state, verb) in _FAMILIES.items():
        for words in _rows(face, name):
            if len(words) > 9 and words[3] == state:
                found[words[9]] = f"{verb} {_address(words[1], family)}"
    for words in _rows(face, "unix"):
        # Num RefCount Protocol Flags Type St Inode Path: the last may hold blanks.
        if len(words) < 8:
            continue
        path = " ".join(words[7:])
        if int(words[3], 16) & _ACCEPTS:
            found[words[6]] = f"listens on {path}"
        elif words[4] == _UNIX_DATAGRAM:
            found[words[6]] = f"receives on {path}"
    return found


def _rows(face: str, name: str) -> list[list[str]]:
    content = procfs.read_bytes(f"{face}/net/{name}") or b""
    lines = os.fsdecode(content).split("\n")[1:]
    return [line.split(" ") if name == "unix" else line.split() for line in lines]


def _address(text: str, family: int) -> str:
    """``0100007F:1F90`` as people write it: 32-bit words in the host's order."""
    host, _, port = text.partition(":")
    raw = bytes.fromhex(host)
    if sys.byteorder == "little":
        words = (raw[start : start + 4] for start in range(0, len(raw), 4))
        raw = b"".join(word[::-1] for word in words)
    shown = socket.inet_ntop(family, raw)
    if family == socket.AF_INET6:
        shown = f"[{shown}]"
    return f"{shown}:{int(port, 16)}"
