"""What tests, wider fixtures and the run leave in the pytest process."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Iterator
from functools import partial
from types import GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tmuxlife.containment.by_identity import end_identified
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.hooks.guard import Guard
from pytest_tmuxlife.hooks.middle import Middle
from pytest_tmuxlife.hooks.outcome import OWN_LEAKS_KEY, rules_for
from pytest_tmuxlife.hooks.outermost import run_supervisor
from pytest_tmuxlife.hooks.policy import level_of
from pytest_tmuxlife.hooks.stash import (
    HARNESS_KEY,
    MIDDLE_KEY,
    SETTINGS_KEY,
)
from pytest_tmuxlife.leaks.allowances import kept_processes
from pytest_tmuxlife.leaks.attribution import Claim
from pytest_tmuxlife.leaks.baseline import View
from pytest_tmuxlife.leaks.holdings import Held, describe_all, end_processes
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.ledger import Ledger
from pytest_tmuxlife.leaks.model import Finding, Level
from pytest_tmuxlife.leaks.openings import Openings

if TYPE_CHECKING:
    from pytest_tmuxlife.hooks.output import Output

CHECKING = ("warn", "fail")
_XUNIT = re.compile(r"_(?:xunit|unittest)_(\w+?)_fixture")


class WholeRun:
    """The hooks by which this process is watched, test by test.

    Args:
        config: Of the run.
        output: Takes what belongs to no test.
    """

    def __init__(self, config: pytest.Config, output: Output) -> None:
        self._config = config
        self._output = output
        self._settings = config.stash[SETTINGS_KEY]
        self._root = str(config.rootpath)
        self._openings = Openings()
        self._openings.begin()
        self._supervisor = run_supervisor(config)
        # Allowed to live until the run ends.
        self._kept: set[Identity] = set()
        self._view = View(orphans=self._orphans, sockets=self._sockets)
        self._ledger = Ledger(self._openings, self._settings.leak_grace, self._view)
        config.stash[MIDDLE_KEY] = Middle(
            self._ledger, self._described, config.pluginmanager
        )
        output.before_end.append(self._end_run)
        self._claims: dict[object, Claim] = {}
        self._ending: set[object] = set()
        # What is ended once a debugger has had its look.
        self._to_end: list[Held] = []
        self._guard = Guard(config, self._ledger.sockets_of_fixtures)
        if self._settings.leak_check in CHECKING and self._settings.tmux is not None:
            config.pluginmanager.register(self._guard, "tmuxlife-guard")

    # -- a test -----------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item
    ) -> Generator[None, object, object]:
        """Around all else of a test: end what it has left, and ask its fixtures."""
        try:
            return (yield)
        finally:
            self._end_processes()
            held = self._ledger.ask_again(_tracebacks())
            if held and level_of(item) != "off":
                self._report(Finding(item.nodeid), held)
            self._ask_fixtures()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        """Before all else of an attempt."""
        self._end_processes()
        if level_of(item) != "off":
            self._ledger.begin_test()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        """After all else of an attempt."""
        try:
            return (yield)
        finally:
            self._guard.restore()
            self._look_after(item)

    def _look_after(self, item: pytest.Item) -> None:
        if level_of(item) == "off":
            self._ledger.skip_test()
            return
        held = self._ledger.end_test(partial(_kept_by_pytest, item))
        if held:
            leaks = item.stash[OWN_LEAKS_KEY] = self._described(held)
            self._kept.update(kept_processes(leaks, rules_for(item)))
            self._to_end += held

    def _orphans(self) -> list[int]:
        """What was kept is nobody's leak, also once its parent has ended."""
        supervisor = self._supervisor
        found = supervisor.orphans() if supervisor is not None else []
        if not self._kept:
            return found
        kept = {process.pid for process in self._kept if process.is_alive}
        return [pid for pid in found if pid not in kept]

    def _described(self, held: list[Held]) -> list[Leak]:
        supervisor = self._supervisor
        adopted = supervisor.orphans() if supervisor is not None else ()
        return describe_all(held, self._root, adopted)

    def _end_processes(self) -> None:
        left, self._to_end = self._to_end, []
        if left:
            end_processes(left, term_grace=self._settings.kill_grace, spare=self._kept)

    # -- tmux servers of the tested code -----------------------------------------

    def _sockets(self) -> dict[str, int]:
        harness = self._config.stash.get(HARNESS_KEY, None)
        return harness.tested_sockets() if harness is not None else {}

    # -- a fixture of wider scope -------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """What appears meanwhile belongs to the fixture, not to the test."""
        if fixturedef.scope == "function":
            return (yield)
        claim = self._claims[fixturedef] = Claim(
            _owner(fixturedef, self._root), partial(_objects_of, fixturedef)
        )
        self._ledger.begin_fixture()
        try:
            return (yield)
        finally:
            self._ledger.end_fixture(claim)
            # The last one added is the first to run: its teardown begins.
            fixturedef.addfinalizer(partial(self._begin_teardown, fixturedef))

    def _begin_teardown(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        self._ending.add(fixturedef)
        self._ledger.begin_teardown(self._claims[fixturedef])

    @pytest.hookimpl(trylast=True)
    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Its teardown is over."""
        claim = self._claims.pop(fixturedef, None)
        if claim is None:
            return
        if fixturedef in self._ending:
            self._ending.discard(fixturedef)
            self._ledger.end_fixture(claim)
        self._ledger.finish_fixture(claim)

    def _ask_fixtures(self) -> None:
        for claim, held in self._ledger.end_scope():
            self._report(Finding(claim.owner, "fixture"), held)

    def _report(self, finding: Finding, held: list[Held]) -> None:
        level = self._settings.leak_check
        if level in CHECKING:
            self._output.report_wider(
                Finding(
                    finding.owner,
                    finding.scope,
                    leaks=self._described(held),
                    level=_as_level(level),
                )
            )
        if level != "off":
            self._to_end += held

    # -- the run ----------------------------------------------------------------

    def _end_run(self) -> None:
        """What is left of fixtures that ended last, and of nobody."""
        self._ask_fixtures()
        if self._settings.leak_check in CHECKING:
            held = self._ledger.end_run()
            if held:
                self._report(Finding("the run", "run"), held)
        self._end_processes()
        end_identified(self._kept, term_grace=self._settings.kill_grace)

    def pytest_unconfigure(self) -> None:
        """The audit hook has nobody to tell any more."""
        self._openings.end()
        self._view.close()
        if self._supervisor is not None:
            self._supervisor.close()


def _as_level(level: str) -> Level:
    return "warn" if level == "warn" else "fail"


def _owner(fixturedef: pytest.FixtureDef[Any], root: str) -> str:
    """``fixture NAME (SCOPE, FILE:LINE)``; for set-up functions their own name."""
    xunit = _XUNIT.match(fixturedef.argname)
    if xunit is not None:
        return f"{xunit.group(1)} ({fixturedef.scope}, {fixturedef.baseid})"
    code = getattr(fixturedef.func, "__code__", None)
    place = fixturedef.baseid
    if code is not None:
        place = f"{os.path.relpath(code.co_filename, root)}:{code.co_firstlineno}"
    return f"fixture {fixturedef.argname} ({fixturedef.scope}, {place})"


def _objects_of(fixturedef: pytest.FixtureDef[Any]) -> Iterator[object]:
    """The fixture's value, and the generator that waits for its end."""
    if fixturedef.cached_result is not None:
        yield fixturedef.cached_result[0]
    for finalizer in getattr(fixturedef, "_finalizers", ()):
        if isinstance(finalizer, partial):
            yield from (
                argument
                for argument in finalizer.args
                if isinstance(argument, GeneratorType)
            )


def _kept_by_pytest(item: pytest.Item) -> Iterator[object]:
    """What pytest lets go of only after the last report of a test."""
    yield from (getattr(item, "funcargs", None) or {}).values()
    yield getattr(item, "_instance", None)
    yield from _tracebacks()


def _tracebacks() -> Iterator[object]:
    """Frames of the last failure, which pytest keeps for a debugger."""
    error = getattr(sys, "last_value", None)
    traceback: TracebackType | None = getattr(error, "__traceback__", None)
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next
