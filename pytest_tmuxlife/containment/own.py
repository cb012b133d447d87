"""Our own descriptors in the pytest process: they say so themselves.

Whoever looks for what a test has left leaves these out, by number, device
and inode, so that a leak which took the number of one that was closed shows.
"""

from __future__ import annotations

import os

_own: dict[int, tuple[int, int]] = {}


def claim(descriptor: int) -> int:
    """Note that an open descriptor is ours; returns it."""
    found = os.fstat(descriptor)
    _own[descriptor] = (found.st_dev, found.st_ino)
    return descriptor


def disclaim(descriptor: int) -> None:
    """It is about to be closed; one that is closed already may be named."""
    _own.pop(descriptor, None)


def close(descriptor: int) -> None:
    """Close a descriptor that was claimed, or never was."""
    disclaim(descriptor)
    os.close(descriptor)


def is_still(descriptor: int) -> bool:
    """A descriptor that was claimed is open, and has the same file behind it."""
    try:
        now = os.fstat(descriptor)
    except OSError:
        return False
    return _own.get(descriptor) == (now.st_dev, now.st_ino)


def is_own(descriptor: int, device: int, inode: int) -> bool:
    """This descriptor, with this file behind it, is ours."""
    return _own.get(descriptor) == (device, inode)
