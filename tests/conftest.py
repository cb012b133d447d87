"""Shared by all tests."""

import pytest

pytest_plugins = ["pytester", "processes"]

# Plugins that are here to be tried beside ours, in runs that name them.
_BESIDE = ("asyncio", "pytest_cov", "randomly", "xprocess")


@pytest.fixture(autouse=True)
def _inner_runs_are_like_any_other(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inner run knows neither the plugins to try nor that this is a CI machine."""
    if "pytester" in request.fixturenames:
        # It discards these options.
        request.getfixturevalue("pytester")
    without = " ".join(f"-p no:{name}" for name in _BESIDE)
    monkeypatch.setenv("PYTEST_ADDOPTS", without)
    for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(variable, raising=False)
