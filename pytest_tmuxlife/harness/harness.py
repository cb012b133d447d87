"""What a run holds besides what it lends: servers that are no single test's.

Knows no pytest. The servers of one test are a `Keeper`'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_tmuxlife.containment.by_identity import end_identified
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.errors import ReaperDied
from pytest_tmuxlife.harness.lending import Lending
from pytest_tmuxlife.harness.spares import Spares
from pytest_tmuxlife.open_files import explained
from pytest_tmuxlife.terminal.dialogue import inotify

if TYPE_CHECKING:
    from pytest_tmuxlife.harness.shared import SharedServer
    from pytest_tmuxlife.leaks.model import Finding, Verdict
    from pytest_tmuxlife.run_settings import Settings
    from pytest_tmuxlife.terminal.start.options import Options


class Harness(Lending):
    """One run: its reaper, what it lends, and the servers that belong to no test.

    Args as for `Lending`.

    Attributes:
        strays: tmux servers that the tested code started, to be ended.
        ledger: Whose a server is, or was, by its mark.
        shared: The server that all tests share; None before it is asked for.
        spares: A server that is started before it is needed.
    """

    def __init__(
        self,
        settings: Settings,
        environment_at_start: Mapping[str, str],
        controller: Identity | None = None,
    ) -> None:
        super().__init__(settings, environment_at_start, controller)
        self.strays: list[Identity] = []
        self.ledger: dict[str, str] = {}
        self.shared: SharedServer | None = None
        self.spares = Spares(self)

    def share(self, options: Options) -> SharedServer:
        """Start the server that all tests share.

        Args:
            options: What it is started with.

        Raises:
            TmuxNotFound: No usable tmux.
            ReaperDied: The helper is gone.
        """
        from pytest_tmuxlife.harness.shared import SharedServer

        self.shared = SharedServer(self, options)
        return self.shared

    def end_shared(self) -> Verdict | None:
        """End the server that all tests share, with its verdict.

        None if there is none, or the last test has ended it already.

        Raises:
            ReaperDied: The helper is gone.
            BaseException: What cut the wait short, once all is ended.
        """
        shared, self.shared = self.shared, None
        if shared is None:
            return None
        return shared.end(self.settings.leak_grace, self.settings.ignore)

    def finish_strays(self, *, spare: bool = False) -> None:
        """End the servers that the tested code started, with all in them.

        Args:
            spare: Not yet: a debugger is to look at them.
        """
        if self.strays and not spare:
            strays, self.strays = self.strays, []
            end_identified(strays, term_grace=self.settings.kill_grace)

    def finish_all(self) -> None:
        """Let go what a debugger, or an interrupted teardown, has left."""
        if self.strays or self.unfinished or self.shared is not None:
            self._finish_all()

    @explained
    def _finish_all(self) -> None:
        self.finish_strays()
        if self.shared is not None:
            # A helper that is gone has ended it.
            with contextlib.suppress(ReaperDied):
                self.shared.settle()
        for supervisor in list(self.unfinished):
            try:
                self.finish(supervisor)
            except ReaperDied:
                self.unfinished.pop(supervisor, None)

    def find_marked(self) -> list[Finding]:
        """What bears a mark of this run and is held by nobody, at its end.

        Nothing if no server was ever asked for.
        """
        reaper = self._reaper
        if reaper is None or not reaper.owner.is_this_process:
            return []
        from pytest_tmuxlife.leaks.marked import find_marked

        return find_marked(
            reaper.run_id,
            reaper.pid,
            self.ledger,
            rules=self.settings.ignore,
            kept=self._kept,
        )

    @explained
    def close(self) -> None:
        """End the reaper and with it all that is left of the run."""
        reaper = self._reaper
        if reaper is not None:
            try:
                inotify.close()
                if reaper.is_alive:
                    self.spares.close()
            finally:
                super().close()
