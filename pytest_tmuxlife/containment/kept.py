"""Files of /proc that are read again and again, each by a descriptor kept open."""

from __future__ import annotations

import os

from pytest_tmuxlife.containment import own, procfs

_PAGE = 4096


class KeptFile:
    """One file of /proc; opened when it is first read.

    Opening is most of what such a read costs. The kernel writes the content
    anew for each read from its beginning.

    Args:
        path: What it describes must be the same for as long as it is kept.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def read(self) -> bytes | None:
        """The content now; None if it is gone or may not be read."""
        # The tested code may close whatever is open, and open its own.
        if self._descriptor is None or not own.is_still(self._descriptor):
            self._open()
        if self._descriptor is None:
            return None
        try:
            content = os.pread(self._descriptor, _PAGE, 0)
        except OSError:
            return None
        # What may be longer than that is read whole.
        return procfs.read_bytes(self._path) if len(content) >= _PAGE // 2 else content

    def _open(self) -> None:
        if self._descriptor is not None:
            own.disclaim(self._descriptor)
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._descriptor = None
        else:
            self._descriptor = own.claim(descriptor)

    def close(self) -> None:
        """Close the descriptor, if it is still ours."""
        if self._descriptor is not None and own.is_still(self._descriptor):
            own.close(self._descriptor)
        self._descriptor = None
