"""Which process something belongs to: a fork of pytest holds nothing."""

from __future__ import annotations

import os

from pytest_tmuxlife.errors import TmuxLifeError


class Owner:
    """The process that made something.

    Attributes:
        pid: Its number.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()

    @property
    def is_this_process(self) -> bool:
        """False in a child that was forked since."""
        return self.pid == os.getpid()

    def check(self) -> None:
        """Refuse what only the owner may do.

        Raises:
            TmuxLifeError: This is a fork of the owner.
        """
        if not self.is_this_process:
            raise TmuxLifeError(
                "this process was forked from pytest: it holds no tmux server of "
                "its own; use the fixtures in the process that runs the test"
            )
