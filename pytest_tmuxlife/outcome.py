"""How a finding becomes the outcome LEAKED of a report, and fails the run."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_tmuxlife.errors import LeakError, ReaperDied
from pytest_tmuxlife.fixtures import KEEPER_KEY, UNREPORTED_KEY

if TYPE_CHECKING:
    from pytest_tmuxlife.keeper import Keeper
    from pytest_tmuxlife.leaks.model import Finding, Leak

# On the report, so that it travels from an xdist worker to the controller.
_LEAKED = "tmuxlife_leaked"
# In a worker's output: findings that belong to none of its tests.
_OF_WORKER = "tmuxlife_findings"


def stop(session: pytest.Session, reason: str) -> None:
    """No further test is run; the reason stands in the summary."""
    if not session.shouldfail:
        session.shouldfail = f"pytest-tmuxlife: {reason}"


def leaked(report: object) -> dict[str, str] | None:
    """``headline`` and ``report`` of a report whose test leaked."""
    found: dict[str, str] | None = getattr(report, _LEAKED, None)
    return found


class Outcome:
    """The hooks by which leaks reach reports, summary and exit status."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._leaked: list[pytest.TestReport] = []

    # -- of a test ----------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail the teardown of a test that left something."""
        report = yield
        died = _reaper_died(call.excinfo)
        if died is not None:
            stop(item.session, str(died))
            if call.when != "call" and call.excinfo is not None:
                # Where in our fixtures it was noticed is nobody's concern.
                report.longrepr = call.excinfo.getrepr(style="value")
        if call.when == "teardown":
            finding = self._finding_of(item)
            if finding is not None:
                _fail(report, call, finding)
        return report

    def _finding_of(self, item: pytest.Item) -> Finding | None:
        """What the test left, taken from it; None for a clean one."""
        keeper = item.stash.get(KEEPER_KEY, None)
        if keeper is None:
            return None
        del item.stash[KEEPER_KEY]
        self._config.stash[UNREPORTED_KEY].remove(keeper)
        return _finding(keeper) if keeper.leaking else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        """The outcome LEAKED, counted among the failures."""
        if leaked(report) and report.outcome == "failed":
            return "failed", "L", "LEAKED"
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down every leaking report, reruns and those of workers included."""
        if leaked(report):
            self._leaked.append(report)

    # -- of a fixture, or of the run ----------------------------------------

    def report_wider(self, finding: Finding) -> None:
        """A failed report of its own, for what belongs to no single test.

        From an xdist worker it reaches the controller at the worker's end.
        """
        record = _record(finding)
        output = getattr(self._config, "workeroutput", None)
        if output is None:
            self._log_wider(finding.owner, record)
        else:
            output.setdefault(_OF_WORKER, []).append((finding.owner, record))

    def _log_wider(self, owner: str, record: dict[str, str]) -> None:
        excinfo = _as_error(record, [])
        report = pytest.TestReport(
            nodeid=owner,
            location=(owner, None, owner),
            keywords={},
            outcome="failed",
            longrepr=excinfo.getrepr(style="value"),
            when="teardown",
        )
        setattr(report, _LEAKED, record)
        _set_summary(report, record["headline"])
        self._config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        """An xdist worker has ended: log what it found for no test."""
        output = getattr(node, "workeroutput", None) or {}
        for owner, record in output.get(_OF_WORKER, []):
            self._log_wider(owner, record)

    # -- of the run -----------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A leak fails the run, also one in an attempt that was rerun."""
        has_leaked = self._leaked or self._cut_short()
        if has_leaked and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _cut_short(self) -> list[Keeper]:
        """Those with a leak that no report shows."""
        return [
            keeper for keeper in self._config.stash[UNREPORTED_KEY] if keeper.leaking
        ]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Show leaks that no failure of the run shows."""
        rerun = [
            (report.nodeid, found["headline"], found["report"])
            for report in self._leaked
            if report.outcome != "failed" and (found := leaked(report))
        ]
        _show_hidden(
            terminalreporter,
            rerun,
            "tmux leaks in attempts that were rerun",
            "in an attempt that was rerun; it fails the run",
        )
        cut_short = [_record(_finding(keeper)) for keeper in self._cut_short()]
        _show_hidden(
            terminalreporter,
            [(one["owner"], one["headline"], one["report"]) for one in cut_short],
            "tmux leaks of a test that was cut short",
            "when the run was interrupted",
        )
        self._config.stash[UNREPORTED_KEY].clear()

    def show_unreported(self) -> None:
        """No summary came: of an exit status of somebody's own, or a second C-c."""
        for keeper in self._cut_short():
            sys.stderr.write(f"\n{_record(_finding(keeper))['report']}\n")
        self._config.stash[UNREPORTED_KEY].clear()


def _finding(keeper: Keeper) -> Finding:
    from pytest_tmuxlife.leaks.model import Finding

    return Finding(keeper.nodeid, verdicts=tuple(keeper.leaking))


def _record(finding: Finding) -> dict[str, str]:
    from pytest_tmuxlife.leaks import report as text

    return {
        "owner": finding.owner,
        "headline": text.headline(finding),
        "report": text.report(finding),
    }


def _reaper_died(
    excinfo: pytest.ExceptionInfo[BaseException] | None,
) -> BaseException | None:
    """The loss of a helper, alone or among the errors of a teardown."""
    if excinfo is None:
        return None
    if isinstance(excinfo.value, BaseExceptionGroup):
        return excinfo.value.subgroup(ReaperDied)
    return excinfo.value if isinstance(excinfo.value, ReaperDied) else None


def _fail(
    report: pytest.TestReport, call: pytest.CallInfo[None], finding: Finding
) -> None:
    record = _record(finding)
    setattr(report, _LEAKED, record)
    report.outcome = "failed"
    # Of an xfail that covered another error of the teardown.
    vars(report).pop("wasxfail", None)
    if call.excinfo is None:
        call.excinfo = _as_error(record, finding.all_leaks)
        report.longrepr = call.excinfo.getrepr(style="value")
        _set_summary(report, record["headline"])
    elif (add_section := getattr(report.longrepr, "addsection", None)) is not None:
        # The other error of the teardown stays first.
        add_section("tmux leak", record["report"])
        error = call.excinfo.exconly(tryshort=True)
        _set_summary(report, f"{record['headline']}, beside {error}")
    else:
        report.longrepr = f"{report.longreprtext}\n{record['report']}"


def _as_error(
    record: dict[str, str], leaks: list[Leak]
) -> pytest.ExceptionInfo[BaseException]:
    try:
        raise LeakError(record["report"], leaks=leaks)
    except LeakError:
        return pytest.ExceptionInfo.from_current()


def _set_summary(report: pytest.TestReport, message: str) -> None:
    """What the summary, --tb=line and JUnit show in one line, and where."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        path, line, _ = report.location
        crash.path, crash.lineno, crash.message = path, (line or 0) + 1, message


def _show_hidden(
    terminalreporter: pytest.TerminalReporter,
    leaks: list[tuple[str, str, str]],
    title: str,
    remark: str,
) -> None:
    """Blocks and summary lines of (nodeid, headline, block)."""
    if leaks:
        terminalreporter.section(title)
    for _, _, block in leaks:
        terminalreporter.line(block)
        terminalreporter.line("")
    for nodeid, headline, _ in leaks:
        terminalreporter.line(f"LEAKED {nodeid} - {headline} ({remark})", red=True)
