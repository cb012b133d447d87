"""What happens around the whole run under ``--tmux-leak-check``.

pytest is split off its supervisor before any conftest is imported: one that
imports numpy starts a thread, and then it is too late.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.marks import MARK
from pytest_tmuxlife.containment.run_supervisor import RunSupervisor
from pytest_tmuxlife.containment.split import split

_NAME = "tmuxlife-outermost"
_CURRENT_TEST = "PYTEST_CURRENT_TEST"
_ADDRESS = "tmuxlife_run_supervisor"
SUPERVISOR_KEY: pytest.StashKey[RunSupervisor | str] = pytest.StashKey()


def run_supervisor(config: pytest.Config) -> RunSupervisor | None:
    """Who adopts the orphans of the run; None if nobody does."""
    found = config.stash.get(SUPERVISOR_KEY, None)
    return found if isinstance(found, RunSupervisor) else None


def go_below_supervisor(early_config: pytest.Config) -> None:
    """Split this process, if that can be; `pytest_report_header` says so."""
    options = early_config.known_args_namespace
    if options.help or options.version:
        return
    early_config.stash[SUPERVISOR_KEY] = (
        "pytest runs inside a test of this process" if _is_in_test() else split()
    )


def _is_in_test() -> bool:
    """A test of this very process runs: pytest was called by it."""
    test = os.environ.get(_CURRENT_TEST)
    return test is not None and test != (
        procfs.environment(os.getpid()).get(_CURRENT_TEST)
    )


def set_up(config: pytest.Config) -> None:
    """Mark what this process starts, and register what the run needs."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        address = worker_input.get(_ADDRESS)
        found = RunSupervisor.attach(address) if address else None
        config.stash[SUPERVISOR_KEY] = found or "the controller has none"
    supervisor = run_supervisor(config)
    if supervisor is not None:
        before = os.environ.get(MARK)
        supervisor.set_mark("run" if worker_input is None else worker_input["workerid"])
        config.add_cleanup(lambda: _restore_mark(before))
    config.pluginmanager.register(_Outermost(config), _NAME)


def _restore_mark(before: str | None) -> None:
    if before is None:
        os.environ.pop(MARK, None)
    else:
        os.environ[MARK] = before


class _Outermost:
    def __init__(self, config: pytest.Config) -> None:
        self._found = config.stash.get(
            SUPERVISOR_KEY, "the plugin was loaded after the first conftest"
        )

    def pytest_report_header(self) -> str:
        """Whether orphans of the run are held, and by whom, or why not."""
        if isinstance(self._found, RunSupervisor):
            return f"tmuxlife: run supervisor {self._found.pid} adopts orphans"
        return f"tmuxlife: no run supervisor, orphans are not seen: {self._found}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker whose process it is below."""
        if isinstance(self._found, RunSupervisor):
            node.workerinput[_ADDRESS] = self._found.address
