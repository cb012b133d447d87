"""Inner pytest runs whose tests leave something behind, seen from outside."""

from __future__ import annotations

import textwrap

import pytest

from pytest_tmuxlife.containment.identity import Identity

RUN_LIMIT = 120.0
# Plugins that are here to be tried beside ours, in runs that name them.
BESIDE = ("asyncio", "hypothesispytest", "pytest_cov", "randomly", "xprocess")
WITHOUT_BESIDE = [f"-pno:{name}" for name in BESIDE]
# A clean test and one that leaks.
LEAKING = """
def test_clean(tmux_pane):
    tmux_pane.run("true")

def test_leaking(tmux_pane, leave):
    leave(tmux_pane)
"""

# `leave` returns once the survivor is a sleeper that ignores SIGHUP: the subshell
# set that before it started it. The graces are short, for a survivor of
# these tests never goes by itself.
_CONFTEST = """
import os
import select
import pytest
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import procfs

HERE = os.path.dirname(os.path.abspath(__file__))

@pytest.fixture
def leave():
    def leave(pane, seconds=1000, name=None):
        # Workers have the directory in common.
        path = f"{HERE}/pid.{os.getpid()}"
        sleep = f"exec -a {name} sleep" if name else "sleep"
        pane.run(f"(trap '' HUP; {sleep} {seconds} & echo $! > '{path}')", check=True)
        with open(path) as file:
            pid = int(file.read())
        deadline = Deadline(60)
        while procfs.command_line(pid)[-1:] != [str(seconds)]:
            assert not deadline.expired
            select.select([], [], [], 0.005)
        with open(HERE + "/survivors", "a") as file:
            file.write(f"{pid} {procfs.start_ticks(pid)}\\n")
        return pid
    return leave
"""
_INI = """
[pytest]
tmux_leak_grace = 0.6
tmux_kill_grace = 0.2
"""


class Inner:
    """A directory of tests, and pytest runs on it.

    Args:
        pytester: Of the outer test.
        monkeypatch: Of the outer test.
        autoload: Whether other installed plugins take part.
    """

    def __init__(
        self,
        pytester: pytest.Pytester,
        monkeypatch: pytest.MonkeyPatch,
        *,
        autoload: bool = False,
    ) -> None:
        self.pytester = pytester
        self._first = ["-p", "no:cacheprovider"]
        if not autoload:
            monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            self._first += ["-p", "pytest_tmuxlife.plugin"]
        # Wide enough for a summary line.
        monkeypatch.setenv("COLUMNS", "150")
        pytester.makeconftest(_CONFTEST)
        pytester.makefile(".ini", pytest=_INI)

    def add_to_conftest(self, source: str) -> None:
        """Put more behind what the conftest has."""
        path = self.pytester.path / "conftest.py"
        path.write_text(f"{path.read_text()}\n{textwrap.dedent(source)}\n")

    def run(self, source: str, *arguments: str) -> pytest.RunResult:
        """A run of its own process on the test module *source*."""
        self.pytester.makepyfile(test_inner=source)
        return self.pytester.runpytest_subprocess(
            *self._first, *arguments, timeout=RUN_LIMIT
        )

    @property
    def survivors(self) -> list[Identity]:
        """What ``leave`` has started, in order."""
        path = self.pytester.path / "survivors"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [Identity.parse(line) for line in lines]
        return [identity for identity in found if identity is not None]

    def assert_all_gone(self, count: int) -> None:
        """``leave`` was called *count* times, and nothing of that is alive."""
        assert len(self.survivors) == count
        alive = [identity for identity in self.survivors if identity.is_alive]
        assert not alive, alive
