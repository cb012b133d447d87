"""What the whole run has found: gathered, summed up, and its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tmuxlife.hooks.outcome import Outcome, record_of, report_for
from pytest_tmuxlife.hooks.publishing import Gathered, Publisher, has_leak
from pytest_tmuxlife.hooks.stash import (
    CONTROLLER,
    HARNESS_KEY,
    SETTINGS_KEY,
    UNREPORTED_KEY,
)

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.model import Finding
    from pytest_tmuxlife.leaks.record import Record

# In a worker's output: findings that no report of it shows, and whether it left
# tests out, and had something to check.
_OF_WORKER = "tmuxlife_findings"
_DESELECTED = "tmuxlife_deselected"
_CHECKED = "tmuxlife_checked"


class Output:
    """Gathers the findings of all processes of a run, and shows them.

    Args:
        config: Of pytest.
        outcome: Knows what was not reported.

    Attributes:
        records: The findings, in the order in which they came.
        unverified: What could not be verified, by node id, with the reason.
        before_end: Called when all tests and fixtures have ended, to report
            what is left.
    """

    def __init__(self, config: pytest.Config, outcome: Outcome) -> None:
        self._config = config
        self._outcome = outcome
        self._publisher = Publisher(config)
        self._workers: set[str] = set()
        self._deselected = False
        self._checked = False
        self._unmatched: list[Record] = []
        self.records: list[Record] = []
        self.unverified: dict[str, str] = {}
        self.before_end: list[Callable[[], None]] = []

    # -- gathering ------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down every finding, those of reruns and of workers included."""
        record = record_of(report)
        if record is not None:
            # An outcome of pytest-rerunfailures.
            outcome: str = report.outcome
            self.records.append({**record, "rerun": outcome == "rerun"})

    def report_wider(self, finding: Finding) -> None:
        """Add what belongs to no single test: a report of its own if it fails.

        From an xdist worker it reaches the controller at the worker's end.
        """
        from pytest_tmuxlife.leaks.allowances import allow
        from pytest_tmuxlife.leaks.record import as_record

        record = as_record(allow(finding, self._config.stash[SETTINGS_KEY].ignore))
        output = getattr(self._config, "workeroutput", None)
        if output is None:
            self._take(record)
        else:
            output.setdefault(_OF_WORKER, []).append(record)

    def _take(self, record: Record) -> None:
        if record["fails"] and not (record["rerun"] or record["cut_short"]):
            self._config.hook.pytest_runtest_logreport(report=report_for(record))
        else:
            self.records.append(record)

    def pytest_deselected(self) -> None:
        """Not every test runs."""
        self._deselected = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """What a worker must know: who this is, and settings of the environment.

        They hold on another machine too.
        """
        from pytest_tmuxlife.containment.identity import Identity

        self._workers.add(node.gateway.id)
        node.workerinput[CONTROLLER] = str(Identity.of(os.getpid()) or "")
        # As bytes: the channel refuses text that is not UTF-8.
        node.workerinput["tmuxlife_environment"] = {
            name: os.fsencode(value)
            for name, value in os.environ.items()
            if name.startswith("TMUXLIFE_")
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """An xdist worker has ended: take what it found for no test."""
        output = getattr(node, "workeroutput", None) or {}
        for record in output.pop(_OF_WORKER, []):
            self._take(record)
        self._deselected |= output.get(_DESELECTED, False)
        self._checked |= output.get(_CHECKED, False)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """The worker that ran this test is gone, and no verdict came."""
        self.unverified[crashitem] = "its xdist worker crashed"

    # -- the end of the run ---------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A leak fails the run, also one in an attempt that was rerun."""
        known = len(self.records)
        for step in self.before_end:
            step()
        if len(self.records) > known:
            self._write_junit_again()
        self._checked |= HARNESS_KEY in self._config.stash
        unreported = list(self._outcome.unreported())
        found = [*self.records, *unreported]
        has_failed = any(record["fails"] for record in found)
        if has_failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output.setdefault(_OF_WORKER, []).extend(unreported)
            output[_DESELECTED] = self._deselected
            output[_CHECKED] = self._checked
            return
        self.records = found
        self._unmatched = self._unmatched_rules(session)
        self._publisher.publish(session, self._gathered(session))

    def _gathered(self, session: pytest.Session) -> Gathered:
        return Gathered(
            self.records,
            self._unmatched,
            self.unverified,
            len(self._workers),
            self._is_complete(session),
        )

    def _write_junit_again(self) -> None:
        """The file was written before the last findings came."""
        for plugin in self._config.pluginmanager.get_plugins():
            if type(plugin).__name__ == "LogXML":
                plugin.pytest_sessionfinish()

    def _is_complete(self, session: pytest.Session) -> bool:
        """Every test that there is was run."""
        return not (
            self._deselected
            or getattr(self._config.option, "lf", False)
            or session.shouldstop
            or session.shouldfail
            or any("::" in argument for argument in self._config.args)
            or session.exitstatus
            not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        )

    def _unmatched_rules(self, session: pytest.Session) -> list[Record]:
        """Rules that allowed nothing, if the run could have shown that they do."""
        if not self._checked or not self._is_complete(session):
            return []
        from pytest_tmuxlife.leaks.summary import unmatched

        rules = [
            {"match": rule.pattern.pattern, "source": rule.source}
            for rule in self._config.stash[SETTINGS_KEY].ignore
        ]
        return unmatched(rules, self.records)

    # -- the terminal ---------------------------------------------------------

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Show leaks that no failure of the run shows, then all in brief."""
        warned = [one for one in self.records if has_leak(one) and not one["fails"]]
        rerun = [one for one in self.records if one["rerun"] and one["fails"]]
        cut_short = [one for one in self.records if one["cut_short"]]
        _show_blocks(terminalreporter, warned, "tmux leaks that are warned of", "")
        _show_blocks(
            terminalreporter,
            rerun,
            "tmux leaks in attempts that were rerun",
            "in an attempt that was rerun; it fails the run",
        )
        _show_blocks(
            terminalreporter,
            cut_short,
            "tmux leaks of a test that was cut short",
            "when the run was interrupted",
        )
        self._show_summary(terminalreporter)
        for line in self._publisher.take_annotations():
            terminalreporter.line(line)
        self._config.stash[UNREPORTED_KEY].clear()

    def _show_summary(self, reporter: pytest.TerminalReporter) -> None:
        notes = self._publisher.notes
        if not (self.records or self._unmatched or self.unverified or notes):
            return
        lines = [*self._summary(), *notes]
        if lines:
            reporter.section("tmux leaks")
        for line in lines:
            reporter.line(line)

    def _summary(self) -> Iterator[str]:
        from pytest_tmuxlife.leaks import summary

        yield from summary.leak_lines(self.records)
        yield from summary.accepted_lines(self.records)
        yield from summary.unmatched_lines(self._unmatched)
        for owner, reason in self.unverified.items():
            yield f"not verified: {owner}: {reason}"
        if total := summary.total_line(self.records):
            yield total

    def show_unreported(self) -> None:
        """No summary came: of an exit status of somebody's own, or a second C-c."""
        for record in self._outcome.unreported():
            if record["cut_short"]:
                sys.stderr.write(f"\n{record['report']}\n")
        for line in self._publisher.take_annotations():
            sys.stdout.write(f"\n{line}\n")
        self._config.stash[UNREPORTED_KEY].clear()


def _show_blocks(
    terminalreporter: pytest.TerminalReporter,
    records: list[Record],
    title: str,
    remark: str,
) -> None:
    """Blocks and summary lines of findings that are no failure of the run."""
    if records:
        terminalreporter.section(title)
    for record in records:
        terminalreporter.line(record["report"])
        terminalreporter.line("")
    for record in records if remark else ():
        line = f"LEAKED {record['owner']} - {record['headline']} ({remark})"
        terminalreporter.line(line, red=True)


OUTPUT_KEY: pytest.StashKey[Output] = pytest.StashKey()
