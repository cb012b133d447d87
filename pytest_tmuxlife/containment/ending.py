"""A request to a supervisor that waits until nothing is left."""

from __future__ import annotations

import time

# Between looks for strays: their end wakes nobody here.
_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


class Ending:
    """A request to end the server that is still waiting for its answer."""

    __slots__ = (
        "deadline",
        "kill_server_at",
        "look_at",
        "pause",
        "release",
        "request",
        "server_killed",
    )

    def __init__(
        self, request: int, deadline: float, kill_server_at: float, release: bool
    ) -> None:
        self.release = release
        self.request = request
        self.deadline = deadline
        self.kill_server_at = kill_server_at
        self.server_killed = False
        self.look_at = float("inf")
        self.pause = _FIRST_PAUSE

    def look_later(self) -> None:
        """Strays are left: look again soon, and then less often."""
        self.look_at = time.monotonic() + self.pause
        self.pause = min(2 * self.pause, _LONGEST_PAUSE)
