"""What one test has added to the tmux server of all tests. Knows no pytest."""

from __future__ import annotations

import select
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_tmuxlife.clock import Deadline, backoff
from pytest_tmuxlife.containment.processes import ProcessInfo, ProcessTree, note_tree
from pytest_tmuxlife.containment.supervisor import Holding
from pytest_tmuxlife.errors import ReaperDied, ServerNotRunning
from pytest_tmuxlife.leaks import growth
from pytest_tmuxlife.leaks.escape import Scene
from pytest_tmuxlife.leaks.finder import end_and_judge
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.model import Verdict
from pytest_tmuxlife.leaks.rules import Permission, Rule, permission_for
from pytest_tmuxlife.leaks.sight import Sight
from pytest_tmuxlife.leaks.survivors import UNSEEN, describe, steady_look
from pytest_tmuxlife.terminal.lasting import Inventory, Item, LastingServer

# What tmux itself names is seen by asking it.
_BY_TMUX = ("tmux",)
# A session whose shell gets SIGHUP is gone in 2 ms, and its programs in 40.
_AFTER_REMOVAL = 0.3
_KILL_LIMIT = 0.5
# One that was on its way out is gone then; one of a chain of forks is not the last.
_SHORTEST = 0.1
# kill-server answers a moment before the server is gone.
_ENDING = 0.5


@dataclass(frozen=True, slots=True)
class _Look:
    """What the test has added, at one moment."""

    inventory: Inventory
    items: Sequence[Item]
    tree: ProcessTree
    processes: Sequence[ProcessInfo]
    descriptors: Sequence[Leak]
    is_unseen: bool

    @property
    def is_clean(self) -> bool:
        return not (self.items or self.processes or self.descriptors or self.is_unseen)


class Claim:
    """What was there when a test began, and what it has added since.

    Args:
        server: The shared server; it runs.
        kill_grace: Seconds between TERM and KILL.
    """

    def __init__(self, server: LastingServer, kill_grace: float) -> None:
        self.server = server
        self._kill_grace = kill_grace
        self._supervisor = server.supervisor
        self._inventory = server.inventory()
        self.before = growth.note(self._tree(), server.pid)
        self._kept: list[ProcessInfo] = []

    def _tree(self) -> ProcessTree:
        strays = self._supervisor.look().strays
        return note_tree(self._supervisor.pid, also=strays)

    # -- the verdict -----------------------------------------------------------

    def judge(
        self, grace: float, rules: Sequence[Rule], limited_by: str = ""
    ) -> tuple[Verdict, BaseException | None]:
        """Say what was added and is still there. Ends nothing of it.

        If the test has ended the server, then what outlived that.

        Returns:
            The verdict, and what cut the wait short.

        Raises:
            ReaperDied: The supervisor is gone.
        """
        deadline = Deadline(grace)
        interruption: BaseException | None = None
        try:
            look = self._settled(deadline, rules)
        except ReaperDied:
            raise
        except ServerNotRunning:
            return self._judge_ended(deadline, rules, limited_by)
        except BaseException as error:
            interruption = error
            limited_by = f"cut short by {type(error).__name__}"
            look = self._settled(Deadline(_SHORTEST), rules)
        verdict = Verdict(
            self.server.started_pid,
            deadline.elapsed,
            growth.cut(
                look.tree,
                growth.added(look.tree, self.before),
                self.server.started_pid,
            ),
            leaks=self._leaks(look),
            ignored=self._allowed(look.tree, rules),
            pane_ids={**self.server.pane_ids, **look.inventory.panes},
            limited_by=limited_by,
            is_shared=True,
            goes_on=True,
        )
        self.server.forget(look.inventory)
        return verdict, interruption

    def _settled(self, deadline: Deadline, rules: Sequence[Rule]) -> _Look:
        for pause in backoff(0.0005, 0.05):
            look = self._look(rules)
            if look.is_clean or (deadline.expired and not look.is_unseen):
                return look
            if deadline.elapsed > deadline.timeout + _SHORTEST:
                return look
            select.select([], [], [], min(pause, deadline.remaining or pause))
        raise AssertionError("backoff never ends")

    def _look(self, rules: Sequence[Rule]) -> _Look:
        inventory = self.server.inventory()
        items = inventory.beyond(self._inventory)
        holding = self._supervisor.look()
        tree = steady_look(self._supervisor.pid, holding.strays)
        processes = self._accused(tree, inventory, rules)
        return _Look(
            inventory,
            items,
            tree,
            processes,
            # The server holds the terminal of each pane.
            []
            if items or processes
            else growth.more_descriptors(self.server.pid, self.before),
            not (items or processes) and self._is_unseen(holding, tree),
        )

    def _accused(
        self,
        tree: ProcessTree,
        inventory: Inventory,
        rules: Sequence[Rule],
    ) -> list[ProcessInfo]:
        """Processes that the test has added; those of its own panes go with them."""
        own = {
            pid
            for pane, pid in inventory.pids.items()
            if pane not in self._inventory.items
        }
        beside = set(map(growth.identity, growth.without_heirs(tree, own)))
        return [
            process
            for process in growth.added(tree, self.before)
            if growth.identity(process) in beside
            and permission_for(rules, process) is None
        ]

    def _is_unseen(self, holding: Holding, tree: ProcessTree) -> bool:
        """An orphan was there that had exited when it was looked at."""
        return not all(
            pid in tree.processes or pid == self.server.pid for pid in holding.children
        )

    def _leaks(self, look: _Look) -> tuple[Leak, ...]:
        holding = self._supervisor.look()
        scene = Scene(
            look.tree,
            self._supervisor.pid,
            self.server.started_pid,
            panes={**self.server.pane_ids, **look.inventory.panes},
            strays=frozenset(holding.strays),
        )
        sight = Sight.of(self._supervisor, holding, look.tree)
        found = describe(look.processes, scene, sight)
        unseen = [UNSEEN] if look.is_unseen else []
        missing = _missing(self._inventory.beyond(look.inventory))
        left = left_behind(look.items)
        return (*missing, *left, *found, *unseen, *look.descriptors)

    def _allowed(
        self, tree: ProcessTree, rules: Sequence[Rule]
    ) -> tuple[tuple[ProcessInfo, Permission], ...]:
        allowed = tuple(
            (process, given)
            for process in growth.added(tree, self.before)
            if (given := permission_for(rules, process)) is not None
        )
        self._kept = [process for process, given in allowed if given.keep]
        return allowed

    def _judge_ended(
        self, deadline: Deadline, rules: Sequence[Rule], limited_by: str
    ) -> tuple[Verdict, BaseException | None]:
        pid = self.server.started_pid
        why = "ended the shared tmux server"
        if not self.server.ends_within(_ENDING):
            why = "left the shared tmux server stopped or stuck"
        verdict, interruption = end_and_judge(
            self._supervisor,
            server_pid=pid,
            grace=deadline.remaining,
            rules=rules,
            limited_by=limited_by,
            pane_ids=self.server.pane_ids,
        )
        ended = Leak(
            kind="tmux server",
            why=why,
            seen_by=("lineage",),
            process=None,
            opened_at=None,
            advice="let the test end its own sessions only, or give it a server of its "
            "own (tmux_server)",
            target=str(pid),
            is_missing=True,
        )
        leaks = (ended, *verdict.leaks)
        return replace(verdict, leaks=leaks, is_shared=True), interruption

    # -- what happens then -------------------------------------------------------

    def remove(self) -> None:
        """End all that was added, so that the next test starts clean.

        Raises:
            ReaperDied: The supervisor is gone.
        """
        if not self._supervisor.is_alive or not self.server.is_running:
            return
        try:
            for item in self.server.inventory().beyond(self._inventory):
                self.server.remove(item)
            self.server.forget(self.server.inventory())
        except ServerNotRunning:
            # It ended meanwhile: the next claim starts another.
            return
        self._wait_for_processes(Deadline(_AFTER_REMOVAL))
        self._supervisor.kill(
            term_grace=self._kill_grace,
            limit=_KILL_LIMIT,
            spare=[process.pid for process in self._kept],
            known=self.before.pids,
        )

    def _wait_for_processes(self, deadline: Deadline) -> None:
        kept = set(map(growth.identity, self._kept))
        for pause in backoff(0.001, 0.02):
            added = growth.added(self._tree(), self.before)
            if deadline.expired or not set(map(growth.identity, added)) - kept:
                return
            select.select([], [], [], min(pause, deadline.remaining))


def left_behind(items: Sequence[Item]) -> list[Leak]:
    """A `Leak` for each session, window or pane."""
    return [
        _leak(item, "left on the shared tmux server", _ADVICE[item.kind])
        for item in items
    ]


def _missing(items: Sequence[Item]) -> list[Leak]:
    why = "was there before the test, and is gone"
    advice = "let a test end only what it has made itself"
    return [replace(_leak(item, why, advice), is_missing=True) for item in items]


def _leak(item: Item, why: str, advice: str) -> Leak:
    return Leak(
        kind=item.kind,
        why=why,
        seen_by=_BY_TMUX,
        process=None,
        opened_at=None,
        advice=advice,
        target=str(item),
    )


_ADVICE = {
    "session": "end it in the test: Session.kill()",
    "window": "end it in the test: kill-window, by its id",
    "pane": "end it in the test: kill-pane, by its id",
}
