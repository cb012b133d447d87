"""How a finding becomes the outcome LEAKED of a report."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tmuxlife.errors import LeakError, ReaperDied
from pytest_tmuxlife.hooks.known_leaks import known_leaks_of
from pytest_tmuxlife.hooks.policy import ignore_hook, level_of
from pytest_tmuxlife.hooks.stash import KEEPER_KEY, SETTINGS_KEY, UNREPORTED_KEY

if TYPE_CHECKING:
    from pytest_tmuxlife.harness.keeper import Keeper
    from pytest_tmuxlife.leaks.known import KnownLeak
    from pytest_tmuxlife.leaks.leak import Leak
    from pytest_tmuxlife.leaks.model import Finding
    from pytest_tmuxlife.leaks.record import Record
    from pytest_tmuxlife.leaks.rules import Rule

# On the report, so that it travels from an xdist worker to the controller.
_RECORD = "tmuxlife_record"
# On an item: what it left in the pytest process.
OWN_LEAKS_KEY: pytest.StashKey[list[Leak]] = pytest.StashKey()


def stop(session: pytest.Session, reason: str) -> None:
    """No further test is run; the reason stands in the summary."""
    if not session.shouldfail:
        session.shouldfail = f"pytest-tmuxlife: {reason}"


def record_of(report: object) -> Record | None:
    """What the test of a report has left, be it allowed; None for nothing."""
    found: Record | None = getattr(report, _RECORD, None)
    return found


class Outcome:
    """The hooks by which findings reach the reports of tests.

    Attributes:
        unlogged: Reports with a finding that pytest has not logged (yet): a
            rerun drops the teardown of an attempt that failed before it.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._has_passed = False
        self.unlogged: list[pytest.TestReport] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail the teardown of a test that left something."""
        if call.excinfo is not None:
            from pytest_tmuxlife.hooks.tracebacks import leave_out_own_lines

            leave_out_own_lines(call.excinfo)
        report = yield
        if call.excinfo is not None:
            self._look_at_error(item, call, call.excinfo, report)
        if call.when != "teardown":
            self._has_passed = call.when == "call" and report.passed
        else:
            self._report_finding(item, call, report)
        return report

    def _look_at_error(
        self,
        item: pytest.Item,
        call: pytest.CallInfo[None],
        excinfo: pytest.ExceptionInfo[BaseException],
        report: pytest.TestReport,
    ) -> None:
        from pytest_tmuxlife.hooks.tracebacks import (
            in_one_sentence,
            is_met_in_fixtures,
        )

        died = _reaper_died(excinfo)
        if died is not None:
            stop(item.session, str(died))
        if self._config.option.fulltrace:
            return
        is_helper = died is not None and call.when != "call"
        if is_helper or is_met_in_fixtures(excinfo):
            # Where in our fixtures it was noticed is nobody's concern.
            report.longrepr = in_one_sentence(excinfo)

    def _report_finding(
        self,
        item: pytest.Item,
        call: pytest.CallInfo[None],
        report: pytest.TestReport,
    ) -> None:
        keeper = item.stash.get(KEEPER_KEY, None)
        level = level_of(item)
        if keeper is None and level == "off":
            return
        ran = self._has_passed and call.excinfo is None
        finding = finding_of(keeper, item, expected=ran)
        if OWN_LEAKS_KEY in item.stash:
            # Said now; a rerun of the test begins without them.
            del item.stash[OWN_LEAKS_KEY]
        if finding is not None and level != "off":
            _attach(report, call, finding)
            if finding.all_leaks:
                _tell(item, report, finding.all_leaks)
            self.unlogged.append(report)
        if keeper is not None:
            # Until here, C-c leaves it to the summary.
            del item.stash[KEEPER_KEY]
            self._config.stash[UNREPORTED_KEY].remove(keeper)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        """The outcome LEAKED, counted among the failures."""
        record = record_of(report)
        if record is None or not record["fails"] or report.outcome != "failed":
            return None
        if any(leak["status"] == "leak" for leak in record["leaks"]):
            return "failed", "L", "LEAKED"
        return "failed", "F", "FAILED"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """It is logged now."""
        self.unlogged = [one for one in self.unlogged if one is not report]

    def unreported(self) -> Iterator[Record]:
        """What no report of this process shows: of reruns, or cut short."""
        for report in self.unlogged:
            record = record_of(report)
            if record is not None:
                yield {**record, "rerun": True}
        for keeper in self._config.stash[UNREPORTED_KEY]:
            finding = finding_of(keeper)
            if finding is not None and finding.all_leaks:
                yield {**_as_record(finding), "cut_short": True}


def report_for(record: Record) -> pytest.TestReport:
    """A failed report of its own, for what belongs to no single test."""
    owner = record["owner"]
    report = pytest.TestReport(
        nodeid=owner,
        location=(owner, None, owner),
        keywords={},
        outcome="failed",
        longrepr=_as_error(record, []).getrepr(style="value"),
        when="teardown",
    )
    setattr(report, _RECORD, record)
    _add_properties(report, record)
    _set_summary(report, record["headline"])
    return report


def finding_of(
    keeper: Keeper | None, item: pytest.Item | None = None, *, expected: bool = False
) -> Finding | None:
    """What a test has left, with what it was allowed; None for a clean one.

    Args:
        keeper: Of the test's servers, if it has any.
        item: The test; None to take no known leak into account, nor what it
            left in this process.
        expected: Its strict known leaks must have happened.
    """
    leaks = item.stash.get(OWN_LEAKS_KEY, []) if item is not None else []
    known: Sequence[KnownLeak] = known_leaks_of(item) if item is not None else ()
    verdicts, rules, errors = [], [], []
    if keeper is not None:
        known = keeper.known
        leaks = [*keeper.strays, *leaks]
        verdicts = [one for one in keeper.verdicts if one.leaks or one.ignored]
        rules = keeper.rules
        errors = keeper.asked.errors if keeper.asked is not None else []
    if not (verdicts or leaks or known or rules or errors):
        return None
    from pytest_tmuxlife.leaks.allowances import accept, allow
    from pytest_tmuxlife.leaks.model import Finding

    finding = Finding(
        keeper.nodeid if keeper is not None else item.nodeid if item else "",
        verdicts=verdicts,
        leaks=leaks,
        level="warn" if item is not None and level_of(item) == "warn" else "fail",
        rules=rules,
        errors=errors,
    )
    if leaks and item is not None:
        finding = allow(finding, rules_for(item))
    finding = accept(finding, known, expected=expected)
    if not (verdicts or leaks or finding.missing or rules or errors):
        return None
    return finding


def rules_for(item: pytest.Item) -> list[Rule]:
    """What may allow what a test leaves, its own rules first."""
    keeper = item.stash.get(KEEPER_KEY, None)
    if keeper is not None:
        return keeper.all_rules
    asked = ignore_hook(item)
    of_run = item.config.stash[SETTINGS_KEY].ignore
    return [*of_run, asked] if asked is not None else [*of_run]


def _as_record(finding: Finding, report: pytest.TestReport | None = None) -> Record:
    from pytest_tmuxlife.leaks.record import as_record

    if report is None:
        return as_record(finding)
    file, line, _ = report.location
    return as_record(finding, file=file, line=None if line is None else line + 1)


def _reaper_died(
    excinfo: pytest.ExceptionInfo[BaseException],
) -> BaseException | None:
    """The loss of a helper, alone or among the errors of a teardown."""
    if isinstance(excinfo.value, BaseExceptionGroup):
        return excinfo.value.subgroup(ReaperDied)
    return excinfo.value if isinstance(excinfo.value, ReaperDied) else None


def _attach(
    report: pytest.TestReport, call: pytest.CallInfo[None], finding: Finding
) -> None:
    record = _as_record(finding, report)
    setattr(report, _RECORD, record)
    _add_properties(report, record)
    if finding.is_failing:
        _fail(report, call, record, finding.all_leaks)


def _fail(
    report: pytest.TestReport,
    call: pytest.CallInfo[None],
    record: Record,
    leaks: list[Leak],
) -> None:
    report.outcome = "failed"
    # Of an xfail that covered another error of the teardown.
    vars(report).pop("wasxfail", None)
    if call.excinfo is None:
        call.excinfo = _as_error(record, leaks)
        report.longrepr = call.excinfo.getrepr(style="value")
        _set_summary(report, record["headline"])
    elif (add_section := getattr(report.longrepr, "addsection", None)) is not None:
        # The other error of the teardown stays first.
        add_section("tmux leak", record["report"])
        error = call.excinfo.exconly(tryshort=True)
        _set_summary(report, f"{record['headline']}, beside {error}")
    else:
        report.longrepr = f"{report.longreprtext}\n{record['report']}"


def _tell(item: pytest.Item, report: pytest.TestReport, leaks: list[Leak]) -> None:
    """Call the hook; what it raises fails the test, beside the verdict."""
    try:
        item.ihook.pytest_tmuxlife_leak(item=item, leaks=leaks)
    except pytest.exit.Exception:
        raise
    except (Exception, pytest.fail.Exception, pytest.skip.Exception):
        shown = pytest.ExceptionInfo.from_current().getrepr(style="short")
        text = f"error in the hook pytest_tmuxlife_leak:\n{shown}"
        report.outcome = "failed"
        if (add_section := getattr(report.longrepr, "addsection", None)) is not None:
            add_section("pytest_tmuxlife_leak", text)
        else:
            report.longrepr = f"{report.longreprtext}\n{text}".lstrip()


def _add_properties(report: pytest.TestReport, record: Record) -> None:
    """What JUnit and other reporters show of it."""
    properties: list[tuple[str, Any]] = []
    for status, name in (("leak", "tmux_leaks"), ("known", "tmux_known_leaks")):
        number = sum(leak["status"] == status for leak in record["leaks"])
        if number:
            properties.append((name, number))
    if record["headline"]:
        properties.append(("tmux_leak_headline", record["headline"]))
    properties += [
        (f"tmux_leak_{number}", f"{leak['name']}: {leak['why']}")
        for number, leak in enumerate(
            (leak for leak in record["leaks"] if leak["status"] == "leak"), 1
        )
    ]
    report.user_properties.extend(properties)


def _as_error(record: Record, leaks: list[Leak]) -> pytest.ExceptionInfo[BaseException]:
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
