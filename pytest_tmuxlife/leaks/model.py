"""What a verdict is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pytest_tmuxlife.containment.processes import ProcessInfo, ProcessTree
from pytest_tmuxlife.leaks.leak import Leak

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.known import KnownLeak
    from pytest_tmuxlife.leaks.rules import IgnoreRule, Permission


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the end of one tmux server has shown, or the end of a test on it.

    Attributes:
        server_pid: Of the tmux server; 0 if it never started.
        waited: Seconds from kill-server to the last look.
        tree: The processes as they stood before that.
        leaks: What was left; empty for a clean end.
        ignored: What was left and is allowed, each with its permission.
        pane_ids: Names of panes by the pid of their first process.
        statuses: How those ended that the supervisor itself waited for: exit
            status, or minus the signal's number.
        limited_by: What kept it from waiting the whole grace, or "".
        known: Leaks that are accepted; they are not in ``leaks``.
        is_shared: The server is that of all tests.
        goes_on: It was not ended; *tree* has nothing but what was added, and
            what that descends from.
    """

    server_pid: int
    waited: float
    tree: ProcessTree
    leaks: Sequence[Leak] = ()
    ignored: Sequence[tuple[ProcessInfo, Permission]] = ()
    pane_ids: Mapping[int, str] = field(default_factory=dict)
    statuses: Mapping[int, int] = field(default_factory=dict)
    limited_by: str = ""
    known: Sequence[tuple[Leak, KnownLeak]] = ()
    is_shared: bool = False
    goes_on: bool = False


Scope = Literal["test", "fixture", "run"]
Level = Literal["warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """All that one owner has left: a test, a fixture of wider scope, or the run.

    Attributes:
        owner: The test's node id, the fixture's name and place, or ``the run``.
        scope: Which of these it is.
        verdicts: On the tmux servers of the owner that left something.
        leaks: What it left beside those.
        level: ``fail`` fails it, ``warn`` is printed only.
        ignored: What was left beside those of the servers and is allowed.
        known: Leaks beside those of the servers that are accepted.
        missing: Known leaks that were to happen and did not.
        rules: What the owner allowed by itself.
        errors: Of somebody's function that was asked about a process.
    """

    owner: str
    scope: Scope = "test"
    verdicts: Sequence[Verdict] = ()
    leaks: Sequence[Leak] = ()
    level: Level = "fail"
    known: Sequence[tuple[Leak, KnownLeak]] = ()
    missing: Sequence[KnownLeak] = ()
    ignored: Sequence[tuple[Leak, Permission]] = ()
    rules: Sequence[IgnoreRule] = ()
    errors: Sequence[str] = ()

    @property
    def is_failing(self) -> bool:
        """It makes its owner fail."""
        if self.missing or self.errors:
            return True
        return self.level == "fail" and bool(self.all_leaks)

    @property
    def all_known(self) -> list[tuple[Leak, KnownLeak]]:
        """Those of the servers first."""
        accepted = [pair for one in self.verdicts for pair in one.known]
        return [*accepted, *self.known]

    @property
    def all_leaks(self) -> list[Leak]:
        """Those of the servers first."""
        return [*(leak for one in self.verdicts for leak in one.leaks), *self.leaks]
