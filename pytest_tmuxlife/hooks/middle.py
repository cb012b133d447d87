"""Looks in the middle of a test: what the process holds since its body began."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tmuxlife.leaks.allowances import allow
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.model import Finding

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.holdings import Held
    from pytest_tmuxlife.leaks.ledger import Ledger
    from pytest_tmuxlife.leaks.rules import Rule


class Middle:
    """The baseline of a test that asks for such looks, kept up to date.

    What its fixtures set up is left out: they have their own end to come.

    Args:
        ledger: Of this process.
        describe: Makes leaks of what the ledger finds.
        plugins: Of the run.
    """

    def __init__(
        self,
        ledger: Ledger,
        describe: Callable[[list[Held]], list[Leak]],
        plugins: pytest.PytestPluginManager,
    ) -> None:
        self._ledger = ledger
        self._describe = describe
        self._plugins = plugins

    def begin(self) -> None:
        """From now on; for a test that is not held to anything it does nothing."""
        # Tests of a run that never asks for such a look pay for no hook.
        if not self._plugins.is_registered(self):
            self._plugins.register(self, "tmuxlife-middle")
        self._ledger.begin_body()

    def look(self, grace: float, rules: Sequence[Rule]) -> list[Leak]:
        """What is there now and was not at the beginning, and no rule allows.

        Args:
            grace: Seconds in which what is on its way out may go.
            rules: What may stay.
        """
        found = Finding("", leaks=self._describe(self._ledger.look_in_body(grace)))
        return list(allow(found, rules).leaks)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """All fixtures that the test names have been set up."""
        if self._ledger.has_body:
            self._ledger.begin_body()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """One that the body asks for; of wider ones the ledger knows."""
        if fixturedef.scope != "function" or not self._ledger.has_body:
            return (yield)
        with self._ledger.leaving_out():
            return (yield)
