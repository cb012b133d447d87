"""A tmux server that is ready before the next test asks for one. Knows no pytest."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_tmuxlife.errors import ReaperDied
from pytest_tmuxlife.terminal.start.spare import SpareServer

if TYPE_CHECKING:
    from pytest_tmuxlife.harness.lending import Lending
    from pytest_tmuxlife.terminal.start.options import Options

# Nothing is in it that could stay longer.
_END_LIMIT = 1.0


class Spares:
    """At most one server, started like the last one that was asked for.

    It is given away only where what is fixed at its start is what the one
    that is asked for would have got: its environment, and no configuration of
    the test's own. What else a server starts with can be changed afterwards.

    Args:
        harness: Of the run.

    Attributes:
        ready: It, unless it is still to be asked for; it may be on its way up.
        taken: So many servers were such a one.
        fresh: So many were started when they were asked for.
        lost: So many were ended by somebody, or did not answer.
    """

    def __init__(self, harness: Lending) -> None:
        self._harness = harness
        self.ready: SpareServer | None = None
        self._last: tuple[Mapping[str, str], Options] | None = None
        self._missed: Mapping[str, str] | None = None
        self.taken = 0
        self.fresh = 0
        self.lost = 0

    def take(
        self, environment: Mapping[str, str], options: Options
    ) -> SpareServer | None:
        """The one that is ready, if it is what is asked for; it is the caller's then.

        Args:
            environment: What the server would be started with.
            options: The same.
        """
        self._last = environment, options
        ready = self.ready
        if ready is None or options.config is not None:
            return None
        if ready.environment != environment:
            if self._missed == environment:
                # Asked for twice: more such follow, sooner than of the other kind.
                self.drop()
            self._missed = environment
            return None
        self.ready = None
        if not ready.supervisor.is_alive:
            self.lost += 1
            return None
        return ready

    def prepare(self) -> None:
        """Have one started like the last that was asked for; nothing is waited for.

        A helper that is gone is no error here: whoever needs it next is told.
        """
        if self.ready is not None or self._last is None:
            return
        environment, options = self._last
        if options.config is not None:
            return
        harness = self._harness
        with contextlib.suppress(ReaperDied):
            self.ready = SpareServer(
                harness.new_supervisor(),
                tmux=harness.require_tmux(),
                environment=environment,
                options=options,
                timeout_scale=harness.settings.timeout_scale,
            )

    def in_words(self) -> str:
        """How many servers were such a one, in a line; "" if none was to be."""
        if not self.taken and not self.lost:
            return ""
        all_ = self.taken + self.fresh
        lost = f"; {self.lost} more did not answer" if self.lost else ""
        were = "was" if self.taken == 1 else "were"
        return f"{self.taken} of {all_} tmux servers {were} started ahead of time{lost}"

    def drop(self) -> None:
        """Have the one that is ready ended, without waiting for it."""
        ready, self.ready = self.ready, None
        if ready is not None:
            ready.supervisor.drop()

    def close(self) -> None:
        """End the one that is ready; on return it is gone."""
        ready, self.ready = self.ready, None
        if ready is None:
            return
        supervisor = ready.supervisor
        # One that is gone has ended it.
        with contextlib.suppress(ReaperDied):
            holding = supervisor.end(
                _END_LIMIT, server_limit=_END_LIMIT / 2, release=True
            )
            if not holding.empty:
                supervisor.kill(term_grace=0.0)
            supervisor.finish()
