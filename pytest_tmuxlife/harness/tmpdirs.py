"""The directories that stand in TMUX_TMPDIR of the tested code, one after another."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection

from pytest_tmuxlife.containment.files import remove_tree
from pytest_tmuxlife.containment.listeners import listener, sockets_in


class TmuxTmpdirs:
    """A new one once the last was used, so that no test meets another's server.

    Args:
        first: A directory of this run's; those that follow stand beside it.

    Attributes:
        current: The one of the test that runs.
    """

    def __init__(self, first: str) -> None:
        self.current = first
        self._names = (f"{first}{number}" for number in itertools.count(2))
        self._still_used: list[str] = []

    def renew(self, spare: Collection[str] = ()) -> str:
        """The directory for a test that begins.

        One in which a server still listens stays until the run ends; another
        one that was used is removed.

        Args:
            spare: Sockets of servers that the tests share: their directory
                stays the current one.
        """
        sockets = sockets_in(self.current)
        if not sockets or not sockets.keys().isdisjoint(spare):
            return self.current
        if any(listener(path) is not None for path in sockets):
            self._still_used.append(self.current)
        else:
            remove_tree(self.current)
        self.current = next(self._names)
        os.mkdir(self.current, 0o700)
        return self.current

    def sockets(self) -> dict[str, int]:
        """Inodes by path of the sockets that tmux has made in all of them."""
        found = sockets_in(self.current)
        for directory in self._still_used:
            found |= sockets_in(directory)
        return found
