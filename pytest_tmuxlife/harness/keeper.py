"""The servers of one test, and the verdicts on them. Knows no pytest."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import listeners, procfs
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.processes import ProcessTree
from pytest_tmuxlife.errors import ReaperDied, TmuxLifeError
from pytest_tmuxlife.leaks.finder import begin_end, end_and_judge, find_unaccounted
from pytest_tmuxlife.leaks.holdings import describe_server
from pytest_tmuxlife.leaks.rules import AskedRule, IgnoreRule, Rule
from pytest_tmuxlife.open_files import explained
from pytest_tmuxlife.terminal.server import Server

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.supervisor import Supervisor
    from pytest_tmuxlife.harness.harness import Harness
    from pytest_tmuxlife.harness.shared import SharedServer
    from pytest_tmuxlife.leaks.known import KnownLeak
    from pytest_tmuxlife.leaks.leak import Leak
    from pytest_tmuxlife.leaks.model import Verdict
    from pytest_tmuxlife.terminal.start.options import Options

_Done = TypeVar("_Done")

# What describing and killing take, when somebody's alarm is about to ring.
_ALARM_MARGIN = 0.3
_SHORTEST_GRACE = 0.1


@dataclass(slots=True, eq=False)
class Keeper:
    """The servers of one test.

    Attributes:
        harness: Of the run.
        nodeid: Of the test.
        options: For a server that is given none.
        rules: What this test allows to stay, beside what the run allows.
        asked: Somebody's function that may allow more.
        known: Leaks of this test that are accepted.
        supervisors: Those that it has taken from the harness.
        servers: Those that it has made.
        verdicts: One for each server that was ended, and for what the test has
            added to the shared one.
        shared: The server of all tests, if this one uses it.
        strays: Servers that the tested code started beside those, as leaks.
        more_follow: Somebody will ask for a server when this test has ended.
    """

    harness: Harness
    nodeid: str
    options: Options
    rules: list[IgnoreRule] = field(default_factory=list)
    asked: AskedRule | None = None
    known: Sequence[KnownLeak] = ()
    supervisors: list[Supervisor] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    shared: SharedServer | None = None
    strays: list[Leak] = field(default_factory=list)
    more_follow: bool = False

    @explained
    def open_server(self, given: Mapping[str, Any], where: str) -> Server:
        """A server of the test's own; it starts when it is first used.

        Raises:
            TmuxLifeError: An unknown option or a bad value.
            TmuxNotFound: No usable tmux.
            ReaperDied: The helper is gone.
        """
        options = self.options.updated(given, where)
        harness = self.harness
        tmux = harness.require_tmux()
        environment = {**harness.environment(), **options.env}
        server = self._take_spare(tmux, environment, options)
        if server is None:
            supervisor = harness.new_supervisor()
            self._hold(supervisor)
            _ = supervisor.pid
            server = self._server(supervisor, tmux, environment, options)
            harness.spares.fresh += 1
        self.servers.append(server)
        return server

    def _hold(self, supervisor: Supervisor) -> None:
        self.supervisors.append(supervisor)
        self.harness.ledger[supervisor.mark] = self.nodeid

    def _server(
        self,
        supervisor: Supervisor,
        tmux: str,
        environment: Mapping[str, str],
        options: Options,
    ) -> Server:
        settings = self.harness.settings
        return Server(
            supervisor,
            tmux=tmux,
            environment=environment,
            options=options,
            engine=settings.engine,
            timeout_scale=settings.timeout_scale,
        )

    def _take_spare(
        self, tmux: str, environment: Mapping[str, str], options: Options
    ) -> Server | None:
        """One that was started before; None if there is none that fits and is well."""
        spares = self.harness.spares
        spare = spares.take(environment, options)
        if spare is None:
            return None
        supervisor = spare.supervisor
        self._hold(supervisor)
        server = self._server(supervisor, tmux, environment, options)
        try:
            server.take(spare)
        except TmuxLifeError:
            # Somebody has ended or stopped it. It was nobody's yet.
            server.close()
            supervisor.drop()
            self.supervisors.remove(supervisor)
            del self.harness.ledger[supervisor.mark]
            spares.lost += 1
            return None
        spares.taken += 1
        return server

    def prepare_next(self) -> None:
        """Have a server started for whoever asks for the next one, if one does.

        It starts while the test runs; this does not wait for it.
        """
        settings = self.harness.settings
        # Without a subreaper it would look like a server that somebody has left.
        if self.more_follow and settings.spare and "subreaper" not in settings.without:
            self.harness.spares.prepare()

    @property
    def leaking(self) -> list[Verdict]:
        """The verdicts that name a leak."""
        return [verdict for verdict in self.verdicts if verdict.leaks]

    @property
    def all_rules(self) -> list[Rule]:
        """The test's own and the run's."""
        asked = [self.asked] if self.asked is not None else []
        return [*self.rules, *self.harness.settings.ignore, *asked]

    def check(self, grace: float) -> list[Leak]:
        """What no living pane or job accounts for, while the test runs."""
        leaks: list[Leak] = []
        for server in self.servers:
            verdict = find_unaccounted(
                server.supervisor,
                server_pid=server.started_pid,
                pane_pids={pane.pid for pane in server.panes}
                if server.is_running
                else set(),
                grace=grace,
                rules=self.all_rules,
                pane_ids=server.pane_ids,
            )
            leaks += verdict.leaks
        if self.shared is not None:
            leaks += self.shared.check(grace, self.all_rules)
        return leaks

    def share(self) -> None:
        """From now on the test is held to what it adds to the server of all tests.

        Raises:
            TmuxLifeError: An option that is fixed since that server's start.
            ReaperDied: The helper is gone.
        """
        shared = self.harness.shared
        assert shared is not None
        shared.claim(self.options)
        self.shared = shared

    @explained
    def end(self, *, spare_survivors: bool) -> None:
        """End every server, give the verdicts, and end what outlived them.

        Whatever happens, the verdicts that were reached are in `verdicts`,
        and the harness knows what it has still to end.

        Args:
            spare_survivors: Leave them for a debugger; `Harness.finish_all`
                ends them.

        Raises:
            BaseException: What cut the wait short, once all is described.
        """
        self.harness.unfinished.update(dict.fromkeys(self.supervisors, ()))
        settings = self.harness.settings
        grace, limited_by = _grace_before_alarm(
            settings.leak_grace, settings.kill_grace
        )
        ending = _Ending(Deadline(grace), limited_by, self.all_rules)
        ending.insist(self._find_strays)
        alone = len(self.servers) == 1 and self.shared is None
        for server in self.servers:
            ending.insist(server.follow_no_more)
            ending.begin(server, alone=alone)
        if self.shared is not None:
            verdict = ending.judge_shared(self.shared)
            if verdict is not None:
                self.verdicts.append(verdict)
            if not (spare_survivors and verdict is not None and verdict.leaks):
                ending.insist(self.shared.settle)
        for server in self.servers:
            verdict = ending.judge(server)
            if verdict is not None:
                self.verdicts.append(verdict)
        for server in self.servers:
            ending.insist(server.close)
        for supervisor, verdict in ending.judged:
            self.harness.unfinished[supervisor] = self._to_keep(verdict)
            if not (spare_survivors and verdict.leaks):
                ending.insist(partial(self.harness.finish, supervisor))
        self.harness.finish_strays(spare=spare_survivors)
        ending.raise_error()

    def _find_strays(self) -> None:
        """Servers beside these that descend from nobody of ours.

        Of ``tmux -L`` with the environment of one, or a new one on the path of
        one that has ended.
        """
        for server in self.servers:
            supervisor = server.supervisor
            for path in listeners.sockets_in(supervisor.directory):
                if path == server.socket_path and server.is_running:
                    continue
                pid = listeners.listener(path)
                if pid is not None and not procfs.is_below(pid, supervisor.pid):
                    self.strays += describe_server(pid, path)
                    stray = Identity.of(pid)
                    if stray is not None:
                        self.harness.strays.append(stray)

    def _to_keep(self, verdict: Verdict) -> list[int]:
        return [process.pid for process, given in verdict.ignored if given.keep]


class _Ending:
    """The end of several servers under one grace, whatever comes in between.

    An alarm of another plugin or C-c is noted and what it hit is done again,
    without any grace; a helper that is gone costs the verdicts on its own
    server only.
    """

    def __init__(
        self, deadline: Deadline, limited_by: str, rules: Sequence[Rule]
    ) -> None:
        self.deadline = deadline
        self.limited_by = limited_by
        self.rules = rules
        self.trees: dict[int, ProcessTree] = {}
        self.judged: list[tuple[Supervisor, Verdict]] = []
        self.interruption: BaseException | None = None
        self.death: ReaperDied | None = None

    def begin(self, server: Server, *, alone: bool) -> None:
        """Note what runs; signal the server if it is one of several."""
        supervisor = server.supervisor

        def note() -> ProcessTree:
            return supervisor.note_tree() if alone else begin_end(supervisor)

        tree = self.insist(note)
        if tree is not None:
            self.trees[supervisor.number] = tree

    def judge(self, server: Server) -> Verdict | None:
        """The verdict; None if there can be none."""
        supervisor = server.supervisor
        verdict = self.insist(lambda: self._judge(server))
        if verdict is not None:
            self.judged.append((supervisor, verdict))
        return verdict

    def _judge(self, server: Server) -> Verdict:
        since = self.deadline.elapsed
        verdict, interruption = end_and_judge(
            server.supervisor,
            server_pid=server.started_pid,
            grace=0.0 if self.interruption else self.deadline.remaining,
            rules=self.rules,
            limited_by=self.limited_by,
            tree=self.trees.get(server.supervisor.number),
            pane_ids=server.pane_ids,
        )
        if interruption is not None:
            self._note(interruption)
        return replace(verdict, waited=since + verdict.waited)

    def judge_shared(self, shared: SharedServer) -> Verdict | None:
        """What the test has added to the server of all tests."""

        def judge() -> Verdict | None:
            verdict, interruption = shared.judge(
                0.0 if self.interruption else self.deadline.remaining,
                self.rules,
                self.limited_by,
            )
            if interruption is not None:
                self._note(interruption)
            return verdict

        return self.insist(judge)

    def insist(self, step: Callable[[], _Done]) -> _Done | None:
        for _ in range(2):
            try:
                return step()
            except ReaperDied as error:
                self.death = self.death or error
                return None
            except BaseException as error:
                self._note(error)
        return None

    def _note(self, interruption: BaseException) -> None:
        if self.interruption is None:
            self.interruption = interruption
        elif interruption is not self.interruption:
            self.interruption.add_note(f"and then {interruption!r}")
        self.limited_by = f"cut short by {type(interruption).__name__}"

    def raise_error(self) -> None:
        """What came in between, now that all is described."""
        error = self.interruption or self.death
        if error is not None:
            raise error


def _grace_before_alarm(grace: float, kill_grace: float) -> tuple[float, str]:
    """The grace that somebody's alarm (pytest-timeout) leaves, and why."""
    remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    left = remaining - kill_grace - _ALARM_MARGIN
    if remaining == 0 or left >= grace:
        return grace, ""
    shorter = max(_SHORTEST_GRACE, left)
    return shorter, f"instead of {grace:g} s: an alarm is due in {remaining:.1f} s"
