"""While a test runs, a bare tmux in it reaches no server of the user's."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

import pytest

from pytest_tmuxlife.hooks.stash import harness_of

_TMPDIR = "TMUX_TMPDIR"
_GUARDED = ("TMUX", "TMUX_PANE", _TMPDIR)


class Guarded:
    """Has TMUX_TMPDIR in the environment, and no TMUX; from now until `restore`."""

    def __init__(self, directory: str) -> None:
        environ = os.environ
        self._directory = directory
        # An absent variable costs more to look for than all else here.
        found = [(name, environ.get(name)) for name in _GUARDED]
        self._before = {name: value for name, value in found if value is not None}
        for name in self._before:
            del environ[name]
        environ[_TMPDIR] = directory

    def restore(self) -> None:
        """What stood there does again; what the tested code has set stays."""
        if os.environ.get(_TMPDIR) == self._directory:
            del os.environ[_TMPDIR]
        os.environ.update(self._before)


class Guard:
    """Guards each test of a run.

    Args:
        config: Of the run.
        shared_sockets: Paths of tmux servers of which later tests may know.
    """

    def __init__(
        self, config: pytest.Config, shared_sockets: Callable[[], Collection[str]]
    ) -> None:
        self._config = config
        self._shared_sockets = shared_sockets
        self._guarded: Guarded | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Starts the reaper, in whose directory the servers' sockets stand."""
        tmpdirs = harness_of(self._config).tmpdirs
        self._guarded = Guarded(tmpdirs.renew(self._shared_sockets()))

    def restore(self) -> None:
        """The environment is as it was."""
        if self._guarded is not None:
            self._guarded.restore()
            self._guarded = None
