"""The plugin: settings, the verdict in the report, and the end of the run."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_tmuxlife import settings as settings_module
from pytest_tmuxlife.artifacts import snapshots
from pytest_tmuxlife.containment import directories, layers
from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.fixtures import (
    _tmux_keeper,
    tmux_client,
    tmux_client_factory,
    tmux_env,
    tmux_leaks,
    tmux_options,
    tmux_pane,
    tmux_server,
    tmux_server_factory,
    tmux_session,
    tmux_snapshot,
)
from pytest_tmuxlife.hooks.known_leaks import MARKER as KNOWN_LEAK_MARKER
from pytest_tmuxlife.hooks.known_leaks import errors_of_markers
from pytest_tmuxlife.hooks.outcome import Outcome, stop
from pytest_tmuxlife.hooks.output import OUTPUT_KEY, Output
from pytest_tmuxlife.hooks.policy import is_anybody_held, level_of, uses_ours
from pytest_tmuxlife.hooks.stash import (
    ENVIRONMENT_KEY,
    HARNESS_KEY,
    SETTINGS_KEY,
    UNREPORTED_KEY,
    harness_of,
)
from pytest_tmuxlife.shared_fixtures import (
    SHARED,
    _tmux_shared_check,
    hold_to_what_it_adds,
    tmux_shared_server,
    watch_for_late_requests,
)

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.sweep import Swept

__all__ = [
    "_tmux_keeper",
    "_tmux_shared_check",
    "tmux_client",
    "tmux_client_factory",
    "tmux_env",
    "tmux_leaks",
    "tmux_options",
    "tmux_pane",
    "tmux_server",
    "tmux_server_factory",
    "tmux_session",
    "tmux_shared_server",
    "tmux_snapshot",
]

_SWEPT_KEY: pytest.StashKey[list[Swept]] = pytest.StashKey()

# Levels at which every test of the run is checked.
_CHECKING = ("warn", "fail")
_MARKERS = (
    "tmux(**options): options of this test's tmux servers (program, size, cwd, env, "
    "history_limit, remain_on_exit, config, timeout)",
    KNOWN_LEAK_MARKER,
    "tmux_leak_check(level): what this test leaves is off, warn or fail, whatever "
    "holds for the run",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare our options and ini values."""
    settings_module.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare our hooks."""
    from pytest_tmuxlife import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, object, object]:
    """Before output is captured, and before a conftest can start a thread."""
    if settings_module.early_leak_check(early_config) in _CHECKING:
        from pytest_tmuxlife.hooks import outermost

        outermost.go_below_supervisor(early_config)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Resolve the settings; nothing is started."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    given = getattr(config, "workerinput", {}).get("tmuxlife_environment", {})
    environ = {name: os.fsdecode(value) for name, value in given.items()}
    environ.update(os.environ)
    settings = config.stash[SETTINGS_KEY] = settings_module.load(config, environ)
    if settings.leak_check in _CHECKING:
        from pytest_tmuxlife.hooks import outermost

        outermost.set_up(config)
    config.stash[ENVIRONMENT_KEY] = dict(os.environ)
    config.stash[_SWEPT_KEY] = []
    config.stash[UNREPORTED_KEY] = []
    outcome = Outcome(config)
    output = config.stash[OUTPUT_KEY] = Output(config, outcome)
    config.pluginmanager.register(outcome, "tmuxlife-outcome")
    config.pluginmanager.register(output, "tmuxlife-output")


def pytest_report_header(config: pytest.Config) -> str:
    """Which tmux, and what leaks are found by."""
    settings = config.stash[SETTINGS_KEY]
    tmux = settings.tmux or f"{settings.tmux_asked} not found"
    tmux = os.fsencode(tmux).decode("utf-8", "backslashreplace")
    found_by = layers.in_words(settings.without)
    return f"tmuxlife: {tmux} ({settings.engine}); leaks are found by: {found_by}"


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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Hold each test that uses the shared server to what it adds."""
    if SHARED in getattr(item, "fixturenames", ()):
        hold_to_what_it_adds(item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Refuse a marker with a bad argument before anything runs."""
    report = yield
    items = [node for node in report.result if isinstance(node, pytest.Item)]
    errors = [error for item in items for error in errors_of_markers(item)]
    if report.passed and errors:
        report.outcome = "failed"
        report.longrepr = "\n".join(errors)
        report.result = []
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Watch this process, if a test is held to what it leaves there.

    Raises:
        pytest.UsageError: A marker tmux_leak_check has a level that is none.
    """
    config = session.config
    watch_for_late_requests(session)
    if not is_anybody_held(session.items) or config.option.collectonly:
        return
    from pytest_tmuxlife.hooks.whole_run import WholeRun

    config.pluginmanager.register(
        WholeRun(config, config.stash[OUTPUT_KEY]), "tmuxlife-whole-run"
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around all else of a test: end what a debugger was left to look at."""
    # A test may run pytest in this process.
    outer = snapshots.of_test
    try:
        return (yield)
    finally:
        snapshots.of_test = outer
        _finish_all(item.config)
        if uses_ours(item):
            _stop_without_reaper(item.session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A rerun of a test starts without survivors of the attempt before."""
    # Most tests never ask for them.
    snapshots.of_test = functools.cache(functools.partial(_snapshots_of, item))
    _finish_all(item.config)


def _snapshots_of(item: pytest.Item) -> snapshots.Snapshots:
    return snapshots.Snapshots(
        str(item.path),
        _name_in_module(item),
        bool(item.config.getoption("tmux_snapshot_update")),
    )


def _name_in_module(item: pytest.Item) -> str:
    """Its name with its class and parameters.

    Not from the id: xdist puts a group behind that, and parameters can hold ``::``.
    """
    names: list[str] = []
    for node in reversed(item.listchain()):
        if isinstance(node, pytest.File):
            break
        names.append(node.name)
    return ".".join(reversed(names))


def _finish_all(config: pytest.Config) -> None:
    harness = config.stash.get(HARNESS_KEY, None)
    if harness is not None:
        harness.finish_all()


def _stop_without_reaper(session: pytest.Session) -> None:
    harness = session.config.stash.get(HARNESS_KEY, None)
    if harness is not None and harness.is_broken:
        stop(
            session,
            "the reaper of this run is gone (was it killed, or its descriptor in "
            "pytest closed by the tested code?); what it held is ended, and no further "
            "test can be held",
        )


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show the screen in which something was looked for."""
    # Nobody has a screen before its module is imported.
    if "pytest_tmuxlife.terminal.sight.screen" not in sys.modules:
        return None
    from pytest_tmuxlife.hooks.explanation import explain

    return explain(op, left, right)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what an interrupted teardown has left; look for what no verdict saw."""
    _finish_all(session.config)
    _stop_without_reaper(session)
    _report_marked(session)


def _report_marked(session: pytest.Session) -> None:
    harness = session.config.stash.get(HARNESS_KEY, None)
    findings = harness.find_marked() if harness is not None else []
    if not findings:
        return
    of_run = session.config.stash[SETTINGS_KEY].leak_check or "fail"
    levels = {item.nodeid: level_of(item) for item in session.items}
    for finding in findings:
        level = levels.get(finding.owner, of_run)
        if level != "off":
            given = replace(finding, level="warn" if level == "warn" else "fail")
            session.config.stash[OUTPUT_KEY].report_wider(given)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was swept; to who wants to know more, what was started before."""
    for swept in config.stash[_SWEPT_KEY]:
        terminalreporter.line(
            f"tmuxlife: removed {os.path.basename(swept.run_directory)} of a run that "
            f"was killed (pid {swept.owner}): {swept.processes} processes ended",
            yellow=True,
        )
    harness = config.stash.get(HARNESS_KEY, None)
    if harness is not None and config.option.verbose > 0:
        said = harness.spares.in_words()
        if said:
            terminalreporter.line(f"tmuxlife: {said}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the reaper; nothing of the run is left after this."""
    harness = config.stash.get(HARNESS_KEY, None)
    if harness is None:
        return
    config.stash[OUTPUT_KEY].show_unreported()
    try:
        harness.close()
    except TmuxLifeError as error:
        # The run is over: nobody is left to catch it.
        sys.stderr.write(f"pytest-tmuxlife: {error}\n")
