"""One tmux server for all tests of a run, each held to what it added to it.

Knows no pytest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tmuxlife.harness.claim import Claim, left_behind
from pytest_tmuxlife.leaks.finder import end_and_judge, find_unaccounted
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.model import Verdict
from pytest_tmuxlife.leaks.rules import IgnoreRule, Rule
from pytest_tmuxlife.terminal.lasting import LastingServer

if TYPE_CHECKING:
    from pytest_tmuxlife.harness.lending import Lending
    from pytest_tmuxlife.terminal.start.options import Options


class SharedServer:
    """The server, and the test that has it now.

    Args:
        harness: Of the run.
        options: What it is started with.

    Attributes:
        server: What tests get; the same object for all of them.
    """

    def __init__(self, harness: Lending, options: Options) -> None:
        self._harness = harness
        self._options = options
        self._claim: Claim | None = None
        self._kept: list[IgnoreRule] = []
        self.server = LastingServer(
            harness.new_supervisor(),
            tmux=harness.require_tmux(),
            environment=harness.environment_at_start(),
            options=options,
            engine=harness.settings.engine,
            timeout_scale=harness.settings.timeout_scale,
        )
        self.server.start()

    def claim(self, options: Options) -> None:
        """Have what is added from now on belong to one test.

        A server that has ended is started anew.

        Args:
            options: Of the test, for its sessions.

        Raises:
            TmuxLifeError: An option that is fixed since the server's start.
            ReaperDied: The helper is gone.
        """
        if not self.server.is_running:
            self._let_go()
            self.server.start_anew(self._harness.new_supervisor())
        self.server.lend(options, self._harness.environment)
        self._claim = Claim(self.server, self._harness.settings.kill_grace)

    def check(self, grace: float, rules: Sequence[Rule]) -> list[Leak]:
        """What the test has added and no living pane or job accounts for."""
        server = self.server
        before = self._claim.before.processes if self._claim else frozenset()
        verdict = find_unaccounted(
            server.supervisor,
            server_pid=server.started_pid,
            pane_pids={pane.pid for pane in server.panes},
            grace=grace,
            rules=rules,
            pane_ids=server.pane_ids,
            besides=before,
        )
        return list(verdict.leaks)

    def judge(
        self, grace: float, rules: Sequence[Rule], limited_by: str
    ) -> tuple[Verdict | None, BaseException | None]:
        """Say what the test has left; see `Claim.judge`. None without a test.

        Sessions that are made from now on are no test's.
        """
        if self._claim is None:
            return None, None
        verdict, interruption = self._claim.judge(grace, rules, limited_by)
        if not (verdict.leaks or verdict.ignored):
            self._claim = None
        self._kept += [
            rule for rule in rules if isinstance(rule, IgnoreRule) and rule.keep
        ]
        self.server.lend(self._options, dict)
        return verdict, interruption

    def settle(self) -> None:
        """End what the test has left; does nothing if that was done."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.remove()
        if not self.server.is_running:
            self._let_go()

    def end(self, grace: float, rules: Sequence[Rule]) -> Verdict | None:
        """End the server with its verdict, and what outlived it.

        None if the last test has ended it already.

        Raises:
            ReaperDied: The helper is gone.
            BaseException: What cut the wait short, once all is ended.
        """
        server = self.server
        if not server.supervisor.is_alive:
            return None
        left = server.inventory().sessions if server.is_running else []
        verdict, interruption = end_and_judge(
            server.supervisor,
            server_pid=server.started_pid,
            grace=grace,
            rules=[*rules, *self._kept],
            pane_ids=server.pane_ids,
        )
        self._let_go()
        if interruption is not None:
            raise interruption
        leaks = (*left_behind(left), *verdict.leaks)
        return replace(verdict, leaks=leaks, is_shared=True)

    def _let_go(self) -> None:
        supervisor = self.server.supervisor
        self.server.close()
        if not supervisor.is_alive:
            return
        self._harness.unfinished.setdefault(supervisor, ())
        self._harness.finish(supervisor)
