"""Tested code that takes descriptors away: from us, or all there are."""

from __future__ import annotations

import resource

import pytest
from inner import Inner

from pytest_tmuxlife import ServerFactory, TmuxLifeError


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def test_closed_descriptors_are_named_as_what_went_wrong(inner: Inner) -> None:
    """And the run stops, for the helpers have gone with them."""
    result = inner.run(
        """
        import os

        def test_it(tmux_pane):
            os.closerange(3, 1000)

        def test_next(tmux_pane):
            pass
        """,
        # pytest's own would fail for the same reason.
        "-p",
        "no:logging",
        "-p",
        "no:faulthandler",
        "-s",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "ERROR test_inner.py::test_it - *TmuxLifeError: somebody else has closed *",
            "*the reaper of this run is gone (was it killed, or its descriptor *",
        ]
    )
    result.stderr.no_fnmatch_line("*Traceback*")


def test_limit_of_open_files_is_named(tmux_server_factory: ServerFactory) -> None:
    """With its value, and what to do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    message = "no descriptor is left: this process may have 3 open files .ulimit -n; "
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(TmuxLifeError, match=message):
            tmux_server_factory()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert tmux_server_factory().is_running
