"""The plugin: settings, the verdict in the report, and the end of the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_tmuxlife import settings as settings_module
from pytest_tmuxlife.containment import directories
from pytest_tmuxlife.errors import LeakError, ReaperDied, TmuxLifeError
from pytest_tmuxlife.fixtures import (
    ENVIRONMENT_KEY,
    HARNESS_KEY,
    KEEPER_KEY,
    SETTINGS_KEY,
    _tmux_keeper,
    harness_of,
    tmux_env,
    tmux_leaks,
    tmux_options,
    tmux_pane,
    tmux_server,
    tmux_server_factory,
    tmux_session,
)

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.sweep import Swept
    from pytest_tmuxlife.keeper import Keeper
    from pytest_tmuxlife.leaks.model import Verdict

__all__ = [
    "_tmux_keeper",
    "tmux_env",
    "tmux_leaks",
    "tmux_options",
    "tmux_pane",
    "tmux_server",
    "tmux_server_factory",
    "tmux_session",
]

# On the report, so that it travels from an xdist worker to the controller.
_LEAKED = "tmuxlife_leaked"
_SWEPT_KEY: pytest.StashKey[list[Swept]] = pytest.StashKey()
_LEAKED_KEY: pytest.StashKey[list[pytest.TestReport]] = pytest.StashKey()

_MARKERS = (
    "tmux(**options): options of this test's tmux servers (program, size, cwd, env, "
    "history_limit, remain_on_exit, config, timeout)",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare our options and ini values."""
    settings_module.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Resolve the settings; nothing is started."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[SETTINGS_KEY] = settings_module.load(config)
    config.stash[ENVIRONMENT_KEY] = dict(os.environ)
    config.stash[_SWEPT_KEY] = []
    config.stash[_LEAKED_KEY] = []
    config.pluginmanager.register(_Book(config), "tmuxlife-book")


def pytest_report_header(config: pytest.Config) -> str:
    """Which tmux, and what leaks are found by."""
    settings = config.stash[SETTINGS_KEY]
    tmux = settings.tmux or f"{settings.tmux_asked} not found"
    return f"tmuxlife: {tmux} ({settings.engine}); leaks are found by: lineage"


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Sweep what dead runs left; stop if a required tmux is not there.

    Raises:
        pytest.UsageError: tmux is required and missing or too old.
    """
    config = session.config
    if _is_worker(config):
        return
    if any(os.path.isdir(root) for root in directories.roots()):
        from pytest_tmuxlife.containment.sweep import sweep

        config.stash[_SWEPT_KEY] = sweep()
    if config.stash[SETTINGS_KEY].required and not config.option.collectonly:
        try:
            harness_of(config).require_tmux()
        except TmuxLifeError as error:
            raise pytest.UsageError(f"--tmux-required: {error}") from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around all else of a test: end what a debugger was left to look at."""
    try:
        return (yield)
    finally:
        _finish_all(item.session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A rerun of a test starts without survivors of the attempt before."""
    _finish_all(item.session)


def _finish_all(session: pytest.Session) -> None:
    harness = session.config.stash.get(HARNESS_KEY, None)
    if harness is None:
        return
    harness.finish_all()
    if harness.is_broken:
        _stop(
            session,
            "the reaper of this run is gone (was it killed?); what it held is ended, "
            "and no further test can be held",
        )


def _stop(session: pytest.Session, reason: str) -> None:
    if not session.shouldfail:
        session.shouldfail = f"pytest-tmuxlife: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the teardown of a test whose servers left something."""
    report = yield
    died = _reaper_died(call.excinfo)
    if died is not None:
        _stop(item.session, str(died))
        if call.when != "call" and call.excinfo is not None:
            # Where in our fixtures it was noticed is nobody's concern.
            report.longrepr = call.excinfo.getrepr(style="value")
    keeper = item.stash.get(KEEPER_KEY, None)
    if call.when == "teardown" and keeper is not None:
        if keeper.leaking:
            _fail(report, call, keeper.leaking)
        keeper.harness.has_reported(keeper)
        del item.stash[KEEPER_KEY]
    return report


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
    report: pytest.TestReport, call: pytest.CallInfo[None], leaking: list[Verdict]
) -> None:
    from pytest_tmuxlife.leaks import report as text

    block = text.report(report.nodeid, leaking)
    headline = "; ".join(text.headline(verdict) for verdict in leaking)
    setattr(report, _LEAKED, {"headline": headline, "report": block})
    report.outcome = "failed"
    # Of an xfail that covered another error of the teardown.
    vars(report).pop("wasxfail", None)
    if call.excinfo is None:
        try:
            raise LeakError(
                block, leaks=[leak for verdict in leaking for leak in verdict.leaks]
            )
        except LeakError:
            call.excinfo = pytest.ExceptionInfo.from_current()
        report.longrepr = call.excinfo.getrepr(style="value")
        _set_summary(report, headline)
    elif (add_section := getattr(report.longrepr, "addsection", None)) is not None:
        # The other error of the teardown stays first.
        add_section("tmux leak", block)
        _set_summary(
            report, f"{headline}, beside {call.excinfo.exconly(tryshort=True)}"
        )
    else:
        report.longrepr = f"{report.longreprtext}\n{block}"


def _set_summary(report: pytest.TestReport, message: str) -> None:
    """What the summary, --tb=line and JUnit show in one line, and where."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        path, line, _ = report.location
        crash.path, crash.lineno, crash.message = path, (line or 0) + 1, message


def leaked(report: object) -> dict[str, str] | None:
    """``headline`` and ``report`` of a report whose test leaked."""
    found: dict[str, str] | None = getattr(report, _LEAKED, None)
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, str] | None:
    """The outcome LEAKED, counted among the failures."""
    if leaked(report) and report.outcome == "failed":
        return "failed", "L", "LEAKED"
    return None


class _Book:
    """Takes down every leaking report, reruns and those of workers included."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if leaked(report):
            self._config.stash[_LEAKED_KEY].append(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A leak fails the run, also one in an attempt that was rerun."""
    config = session.config
    _finish_all(session)
    has_leaked = config.stash[_LEAKED_KEY] or _unreported(config)
    if has_leaked and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unreported(config: pytest.Config) -> list[Keeper]:
    harness = config.stash.get(HARNESS_KEY, None)
    return harness.unreported if harness is not None else []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """What no failure of the run shows: hidden leaks, and what was swept."""
    rerun = [
        (report.nodeid, found["headline"], found["report"])
        for report in config.stash[_LEAKED_KEY]
        if report.outcome != "failed" and (found := leaked(report))
    ]
    _show_hidden(
        terminalreporter,
        rerun,
        "tmux leaks in attempts that were rerun",
        "in an attempt that was rerun; it fails the run",
    )
    cut_short = [_as_text(keeper) for keeper in _unreported(config)]
    _show_hidden(
        terminalreporter,
        cut_short,
        "tmux leaks of a test that was cut short",
        "when the run was interrupted",
    )
    for keeper in _unreported(config):
        keeper.harness.has_reported(keeper)
    for swept in config.stash[_SWEPT_KEY]:
        terminalreporter.line(
            f"tmuxlife: removed {os.path.basename(swept.run_directory)} of a run that "
            f"was killed (pid {swept.owner}): {swept.processes} processes ended",
            yellow=True,
        )


def _as_text(keeper: Keeper) -> tuple[str, str, str]:
    from pytest_tmuxlife.leaks import report as text

    headline = "; ".join(text.headline(verdict) for verdict in keeper.leaking)
    return keeper.nodeid, headline, text.report(keeper.nodeid, keeper.leaking)


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


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the reaper; nothing of the run is left after this."""
    harness = config.stash.get(HARNESS_KEY, None)
    if harness is None:
        return
    # No summary came: of an exit status of somebody's own, or a second C-c.
    for keeper in harness.unreported:
        _, _, block = _as_text(keeper)
        sys.stderr.write(f"\n{block}\n")
    try:
        harness.close()
    except ReaperDied as error:
        # The run is over: nobody is left to catch it.
        sys.stderr.write(f"pytest-tmuxlife: {error}\n")
