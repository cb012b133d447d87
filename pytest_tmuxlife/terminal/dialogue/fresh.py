"""What came since the last send, looked at so that a wait is neither late nor dear.

A look at all of it takes the longer the more there is: 50,000 rows take tmux and us
some 50 ms. So behind thousands of rows a look is at the last ones, and one at all of
them comes as often as its price allows: seldom while more is printed, for what comes
meanwhile is mostly new, and soon once nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.sight.echo import Sent
from pytest_tmuxlife.terminal.sight.screen import Grid

_Found = TypeVar("_Found")
# Rows: so many take a millisecond or two, and the last of more than that.
_MANY = 2000
_LAST = 100
# Of the time, for looks at all rows: while they stand still, and while they move.
SHARE = 0.1
_MOVING = 0.2
# So long nothing new has come: the rows stand still. Longer than a wait pauses.
_STILL = 0.03


class FreshText:
    """The text that one wait looks at, again and again.

    Args:
        pane: Which is waited for.
        share: Of the time, for looks at all of it while it stands still.

    Attributes:
        is_owed: The last look was not at all of it.
    """

    def __init__(self, pane: PaneHandle, share: float = SHARE) -> None:
        self._pane = pane
        self._share = share
        self._is_long = False
        self._sent: Sent | None = None
        self._next = self._next_moving = self._still = Deadline(0.0)
        self._last: Grid | None = None
        self.is_owed = False

    def find(
        self, search: Callable[[str], _Found | None], *, is_first_asked: bool = False
    ) -> _Found | None:
        """What *search* finds in it; None too if all of it is not looked at now.

        Args:
            search: Is given the text.
            is_first_asked: Of several places the first counts, not any of them.
        """
        before = self._last
        end = self._end()
        if end is not None:
            found = search(end)
            if found is not None and not is_first_asked:
                return found
            due = self._next if self._last == before else self._next_moving
            if found is None and not due.expired:
                self._still = Deadline(_STILL)
                self.is_owed = True
                return None
        return self.find_in_all(search)

    def find_in_all(self, search: Callable[[str], _Found | None]) -> _Found | None:
        """What *search* finds in all of it."""
        typist, prompt = self._pane.typist, self._pane.launch.pattern
        taken = Deadline(0.0)
        with self._pane.lock:
            lines, is_settled = typist.fresh(prompt)
            self._sent = typist.sent
        found = search("\n".join(lines))
        # While an echo is awaited only a look at all of it tells where that is.
        self._is_long = is_settled and len(lines) > _MANY
        self._next = Deadline(taken.elapsed / self._share)
        self._next_moving = Deadline(taken.elapsed / (self._share * _MOVING))
        self.is_owed = False
        return found

    def _end(self) -> str | None:
        """Its last rows; None if all of it has to be looked at."""
        pane = self._pane
        with pane.lock:
            # What another thread is just typing could be echoed before it is known.
            if not self._is_long or self._sent is not pane.typist.sent:
                return None
            lines, self._last = pane.typist.last_lines(pane.launch.pattern, _LAST)
        return "\n".join(lines)

    @property
    def next_look(self) -> Deadline | None:
        """When all of it may be looked at, if the last look was not at all of it."""
        if not self.is_owed:
            return None
        return max(self._next, self._still, key=lambda deadline: deadline.at)
