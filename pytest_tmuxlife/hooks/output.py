"""What the whole run has found: exit status, summary, JSON and GitHub."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tmuxlife.fixtures import HARNESS_KEY, SETTINGS_KEY, UNREPORTED_KEY
from pytest_tmuxlife.hooks.outcome import Outcome, record_of, report_for

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.model import Finding
    from pytest_tmuxlife.leaks.record import Record

# In a worker's output: findings that no report of it shows, and whether it left
# tests out, and had something to check.
_OF_WORKER = "tmuxlife_findings"
_DESELECTED = "tmuxlife_deselected"
_CHECKED = "tmuxlife_checked"
_REPORT_OPTION = "--tmux-leak-report"


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
        self._started_at = datetime.now(UTC)
        self._clock = time.monotonic()
        self._workers: set[str] = set()
        self._deselected = False
        self._checked = False
        self._unmatched: list[Record] = []
        self._notes: list[str] = []
        self._annotations: list[str] = []
        self.records: list[Record] = []
        self.unverified: dict[str, str] = {}
        self.before_end: list[Callable[[], None]] = []
        self.report_path = None if _is_worker(config) else _report_path(config)

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
        from pytest_tmuxlife.leaks.record import as_record
        from pytest_tmuxlife.leaks.rules import allow

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
        """Settings of the environment hold in a worker on another machine too."""
        self._workers.add(node.gateway.id)
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
        self._publish(session)

    def _write_junit_again(self) -> None:
        """The file was written before the last findings came."""
        for plugin in self._config.pluginmanager.get_plugins():
            if type(plugin).__name__ == "LogXML":
                plugin.pytest_sessionfinish()

    def _publish(self, session: pytest.Session) -> None:
        """Files and annotations, which need no terminal."""
        try:
            if self.report_path is not None and not self._config.option.collectonly:
                self._write_report(self.report_path, session)
        except OSError as error:
            self._notes.append(f"{_REPORT_OPTION}={self.report_path}: {error}")
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if os.environ.get("GITHUB_ACTIONS") == "true" and self.records:
            self._annotate(os.environ)

    def _write_report(self, path: str, session: pytest.Session) -> None:
        from pytest_tmuxlife.leaks import document

        document.write(path, document.document(self._run(session), self.records))
        self._notes.append(f"tmux leak report: {path}")

    def _run(self, session: pytest.Session) -> Record:
        """What the JSON report says of the run itself."""
        from pytest_tmuxlife import __version__
        from pytest_tmuxlife.containment import layers
        from pytest_tmuxlife.leaks.summary import totals
        from pytest_tmuxlife.terminal.version import version_of

        settings = self._config.stash[SETTINGS_KEY]
        return {
            "started_at": self._started_at.isoformat(timespec="milliseconds"),
            "duration": round(time.monotonic() - self._clock, 3),
            "exit_status": int(session.exitstatus),
            "complete": self._is_complete(session),
            "versions": {
                "pytest_tmuxlife": __version__,
                "pytest": pytest.__version__,
                "python": ".".join(map(str, sys.version_info[:3])),
            },
            "tmux": {
                "path": settings.tmux,
                "version": version_of(settings.tmux) if settings.tmux else None,
                "engine": settings.engine,
            },
            "layers": layers.active(settings.without),
            "workers": len(self._workers),
            "totals": totals(self.records),
            "unmatched_rules": self._unmatched,
            "unverified": [
                {"owner": owner, "reason": reason}
                for owner, reason in self.unverified.items()
            ],
        }

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

    # -- GitHub Actions -------------------------------------------------------

    def _annotate(self, environ: Mapping[str, str]) -> None:
        from pytest_tmuxlife.leaks import github

        lines = []
        for record in self.records:
            if record["headline"] and (record["fails"] or _has_leak(record)):
                file = record["file"]
                if file is not None:
                    path = os.path.normpath(os.path.join(self._config.rootpath, file))
                    file = github.path_in_workspace(path, environ)
                lines.append(github.annotation(record, file))
        self._annotations = lines
        path = environ.get("GITHUB_STEP_SUMMARY", "")
        table = github.table(self.records)
        if path and table:
            try:
                with open(path, "a", encoding="utf-8") as file:
                    file.write(table)
            except OSError as error:
                self._notes.append(f"GITHUB_STEP_SUMMARY: {error}")

    # -- the terminal ---------------------------------------------------------

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Show leaks that no failure of the run shows, then all in brief."""
        warned = [one for one in self.records if _has_leak(one) and not one["fails"]]
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
        for line in self._annotations:
            terminalreporter.line(line)
        self._annotations.clear()
        self._config.stash[UNREPORTED_KEY].clear()

    def _show_summary(self, reporter: pytest.TerminalReporter) -> None:
        if not (self.records or self._unmatched or self.unverified or self._notes):
            return
        lines = [*self._summary(), *self._notes]
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
        for line in self._annotations:
            sys.stdout.write(f"\n{line}\n")
        self._annotations.clear()
        self._config.stash[UNREPORTED_KEY].clear()


def _has_leak(record: Record) -> bool:
    return any(leak["status"] == "leak" for leak in record["leaks"])


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _report_path(config: pytest.Config) -> str | None:
    """Where the JSON report goes; its directory is there.

    Raises:
        pytest.UsageError: It cannot be written there.
    """
    given = config.getoption("tmux_leak_report")
    if given is None:
        return None
    if not given:
        raise pytest.UsageError(f"{_REPORT_OPTION}: expected the path of a file")
    from pytest_tmuxlife.leaks.document import prepare

    # The tested code may change the directory.
    path = os.path.join(config.invocation_params.dir, given)
    try:
        prepare(path)
    except OSError as error:
        reason = error.strerror or error
        raise pytest.UsageError(
            f"{_REPORT_OPTION}={given}: cannot be written: {reason}; expected the path "
            "of a file"
        ) from None
    return path


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
