"""Shared by all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from inner import WITHOUT_BESIDE
from on_tmux import ASKED
from panes import Gate, be_patient

from pytest_tmuxlife.containment.reaper import Reaper
from pytest_tmuxlife.containment.supervisor import Supervisor
from pytest_tmuxlife.hooks.stash import SETTINGS_KEY
from pytest_tmuxlife.terminal.tmux.version import version_of

pytest_plugins = ["pytester", "processes"]


def _tmux_said(config: pytest.Config) -> str | None:
    tmux = config.stash[SETTINGS_KEY].tmux
    return version_of(tmux) if tmux else None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Hold the run to the version of tmux that was asked for.

    Raises:
        pytest.UsageError: It is another one.
    """
    asked = os.environ.get(ASKED)
    if asked is not None:
        said = _tmux_said(session.config)
        if said != f"tmux {asked}":
            raise pytest.UsageError(f"{ASKED}={asked}, but tmux -V says {said!r}")


def pytest_report_header(config: pytest.Config) -> str:
    """Which tmux the tests run on."""
    as_asked = ", as asked for" if ASKED in os.environ else ""
    return f"tests run on: {_tmux_said(config)}{as_asked}"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """``cat gate`` in the test's directory waits for it."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture(autouse=True)
def _inner_runs_are_like_any_other(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inner run knows neither the plugins to try nor that this is a CI machine."""
    if "pytester" in request.fixturenames:
        # It discards these options.
        request.getfixturevalue("pytester")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(WITHOUT_BESIDE))
    for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def reaper() -> Iterator[Reaper]:
    """A reaper of this process, ended with the test."""
    reaper = Reaper()
    yield reaper
    reaper.close()


@pytest.fixture
def supervisor(reaper: Reaper) -> Iterator[Supervisor]:
    """A supervisor that holds nothing."""
    supervisor = reaper.supervise()
    yield supervisor
    supervisor.finish()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts that are on their way have more time, for a busy machine."""
    be_patient(monkeypatch)
