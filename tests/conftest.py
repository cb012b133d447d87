"""Shared by all tests."""

from collections.abc import Iterator

import pytest
from inner import WITHOUT_BESIDE
from panes import be_patient

from pytest_tmuxlife.containment.reaper import Reaper
from pytest_tmuxlife.containment.supervisor import Supervisor

pytest_plugins = ["pytester", "processes"]


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
