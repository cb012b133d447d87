"""pytest-tmuxlife as a test uses it, without the runner around it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from typing import Any

from pytest_tmuxlife.harness.harness import Harness
from pytest_tmuxlife.harness.keeper import Keeper
from pytest_tmuxlife.run_settings import Settings
from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.server import Server
from pytest_tmuxlife.terminal.start.environment import snapshot
from pytest_tmuxlife.terminal.start.options import Options

# For panes, ours and theirs, that take in 50,000 lines.
HISTORY = 60_000
ENGINES = ("native", "process")


def label(engine: str) -> str:
    """How the row of an engine is called."""
    return f"pytest-tmuxlife, {engine}"


class Ours:
    """One run of one engine: a reaper, and servers as they are asked for.

    A context manager; at its end nothing is left.
    """

    def __init__(self, engine: str) -> None:
        settings = Settings(tmux=shutil.which("tmux"), engine=engine)
        self.harness = Harness(settings, snapshot())
        self._keepers: list[Keeper] = []

    def __enter__(self) -> Ours:
        return self

    def __exit__(self, *_: object) -> None:
        for keeper in self._keepers:
            self.end(keeper)
        self.harness.close()

    def keeper(self) -> Keeper:
        return Keeper(self.harness, "bench", Options(timeout=30.0))

    def end(self, keeper: Keeper) -> None:
        """End its servers; they must be clean."""
        keeper.end(spare_survivors=False)
        if keeper.leaking:
            raise RuntimeError(f"a clean server was accused: {keeper.leaking}")

    def server(self) -> Server:
        """A server that lasts as long as this object."""
        keeper = self.keeper()
        self._keepers.append(keeper)
        return keeper.open_server({}, "bench")

    def pane(self, argv: Sequence[str] | None = None, **options: Any) -> Pane:
        """A pane that lasts as long as this object: with a shell, or *argv*."""
        program = None if argv is None else list(argv)
        return self.server().new_pane(program, **options)

    def cycle(self, _: int) -> float:
        """What a test with a pane costs: start, prompt, verified end."""
        start = time.perf_counter()
        keeper = self.keeper()
        keeper.open_server({}, "bench").new_session()
        self.end(keeper)
        return time.perf_counter() - start

    def cycle_ahead(self, _: int) -> float:
        """The same with a server that was started while the test before ran.

        So each test goes on until that of the next one waits: that is not counted.
        """
        start = time.perf_counter()
        keeper = self.keeper()
        keeper.more_follow = True
        keeper.open_server({}, "bench").new_session()
        keeper.prepare_next()
        until_here = time.perf_counter() - start
        self._wait_for_spare()
        start = time.perf_counter()
        self.end(keeper)
        return until_here + time.perf_counter() - start

    def _wait_for_spare(self) -> None:
        spare = self.harness.spares.ready
        assert spare is not None
        while not spare.supervisor.look().server:
            time.sleep(0.002)
        # Its client has had its answer, and hangs up.
        time.sleep(0.005)
