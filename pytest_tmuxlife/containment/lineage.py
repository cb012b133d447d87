"""What descends from a process, each held by a pidfd from the moment it was seen.

Runs in the helpers. A pidfd counts as ours once its process was seen as child of a
process that is ours: from then on a reused pid cannot bring a stranger in.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable

from pytest_tmuxlife.containment import kernel, procfs


def open_descendants(
    root: int,
    skip: Iterable[int] = (),
    *,
    also: Iterable[int] = (),
    known: Container[int] = (),
) -> list[tuple[int, int]]:
    """(pid, pidfd) of everything below *root*, parents before children.

    Args:
        root: This process, or one that is held by a pidfd.
        skip: Pids left out together with all below them.
        also: Further roots, each held by a pidfd of the caller.
        known: Pids left out, but not what is below them.

    The caller closes the pidfds.
    """
    opened: list[tuple[int, int]] = []
    seen = {root, *skip, *also}
    queue = [root, *also]
    for parent in queue:
        for pid in procfs.children(parent):
            if pid in seen:
                continue
            pidfd = kernel.open_pidfd(pid)
            if pidfd is None:
                continue
            now = procfs.stat(pid)
            # An orphan has moved up to the root since its parent was listed.
            if now is None or now.ppid not in (parent, root):
                os.close(pidfd)
                continue
            seen.add(pid)
            queue.append(pid)
            if pid in known:
                os.close(pidfd)
            else:
                opened.append((pid, pidfd))
    return opened


def has_others(root: int, skip: Container[int], known: Container[int]) -> bool:
    """Something is below *root* besides those to *skip* and those *known*."""
    seen = {root}
    queue = [root]
    for parent in queue:
        for pid in procfs.children(parent):
            if pid in skip or pid in seen:
                continue
            if pid not in known:
                return True
            seen.add(pid)
            queue.append(pid)
    return False
