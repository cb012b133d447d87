"""What a run lends to its tests: supervisors, and a tmux that is new enough.

Knows no pytest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.marks import MARK
from pytest_tmuxlife.containment.reaper import Reaper
from pytest_tmuxlife.errors import ReaperDied, ServerNotRunning, TmuxNotFound
from pytest_tmuxlife.harness.tmpdirs import TmuxTmpdirs
from pytest_tmuxlife.open_files import explained
from pytest_tmuxlife.terminal.start.environment import clean_environment
from pytest_tmuxlife.terminal.tmux.version import why_too_old

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.supervisor import Supervisor
    from pytest_tmuxlife.run_settings import Settings

HOW_TO_INSTALL = (
    "install it (apt-get install tmux, dnf install tmux, brew install tmux) or name "
    "one with --tmux-bin"
)
_KILL_LIMIT = 0.5
# Supervisors kept ready: a test of several servers waits for no fork either.
_FREE = 4


class Lending:
    """The reaper of a run, started when the first server is asked for.

    Args:
        settings: What holds for the whole run.
        environment_at_start: The environment as it was when the run began.
        controller: Of pytest-xdist, if this process is a worker of it.

    Attributes:
        unfinished: Supervisors whose test has ended and that were not yet
            let go, each with the pids to spare until the run ends.
    """

    def __init__(
        self,
        settings: Settings,
        environment_at_start: Mapping[str, str],
        controller: Identity | None = None,
    ) -> None:
        self.settings = settings
        self._controller = controller
        self._environment_at_start = environment_at_start
        self._reaper: Reaper | None = None
        self._tmpdirs: TmuxTmpdirs | None = None
        self._free: list[Supervisor] = []
        self._kept: set[int] = set()
        self._checked_tmux = False
        self._tmux_error: TmuxNotFound | ServerNotRunning | None = None
        self.unfinished: dict[Supervisor, Sequence[int]] = {}

    @property
    def reaper(self) -> Reaper:
        """The run's reaper.

        Raises:
            ReaperDied: It could not start, or it is gone.
            TmuxLifeError: This process is a fork of the one that runs the tests.
        """
        if self._reaper is None:
            self._reaper = Reaper(self.settings.without, self._controller)
        self._reaper.owner.check()
        if not self._reaper.is_alive:
            raise ReaperDied(
                f"the reaper (pid {self._reaper.pid}) of this run is gone: somebody "
                "killed it; every tmux server of the run has been ended with it",
                helper="reaper",
            )
        return self._reaper

    @property
    def tmpdirs(self) -> TmuxTmpdirs:
        """What stands in TMUX_TMPDIR of the tested code; starts the reaper.

        Raises:
            ReaperDied: It could not start.
        """
        if self._tmpdirs is None:
            self._tmpdirs = TmuxTmpdirs(self.reaper.environment_directory)
        return self._tmpdirs

    def tested_sockets(self) -> dict[str, int]:
        """Inodes by path of tmux servers that the tested code has started."""
        return {} if self._tmpdirs is None else self._tmpdirs.sockets()

    @property
    def is_broken(self) -> bool:
        """The reaper was started and is gone."""
        reaper = self._reaper
        return (
            reaper is not None and reaper.owner.is_this_process and not reaper.is_alive
        )

    @explained
    def require_tmux(self) -> str:
        """Path of a tmux that is new enough.

        Raises:
            TmuxNotFound: There is none, or it is too old; says what to do.
            ServerNotRunning: It does not even say its version.
        """
        tmux = self.settings.tmux
        if tmux is None:
            reason = f"{self.settings.tmux_asked} not found; {HOW_TO_INSTALL}"
            raise TmuxNotFound(reason, reason=reason)
        if not self._checked_tmux:
            try:
                self._check_version(tmux)
            except (TmuxNotFound, ServerNotRunning) as error:
                # For all tests: one that hangs would cost each of them the limit.
                self._tmux_error = error
            self._checked_tmux = True
        if self._tmux_error is not None:
            raise self._tmux_error.with_traceback(None)
        return tmux

    def _check_version(self, tmux: str) -> None:
        limit = 10.0 * self.settings.timeout_scale
        supervisor = self.reaper.supervise()
        environment = {**clean_environment(os.environ), MARK: supervisor.mark}
        try:
            done = supervisor.run([tmux, "-V"], environment, timeout=limit)
        except TmuxNotFound:
            supervisor.finish()
            raise
        if done.timed_out:
            supervisor.kill(term_grace=0.1)
            supervisor.finish()
            raise ServerNotRunning(
                f"{tmux} -V did not answer within {limit:g} s and was killed; is it "
                "the real tmux?",
                socket_path="",
                stderr=done.stderr.decode("utf-8", "backslashreplace"),
            )
        self._free.append(supervisor)
        version = done.stdout.decode("utf-8", "backslashreplace").strip()
        reason = why_too_old(version, tmux)
        if reason is not None:
            reason = f"{reason}; {HOW_TO_INSTALL}"
            raise TmuxNotFound(reason, reason=reason)

    def new_supervisor(self) -> Supervisor:
        """A supervisor that nobody uses yet."""
        reaper = self.reaper
        while self._free:
            supervisor = self._free.pop()
            # It held nothing: one that has died is nobody's loss.
            if supervisor.is_alive:
                return supervisor
        return reaper.supervise()

    def _take_back(self, supervisor: Supervisor) -> None:
        """Have a free supervisor ready for the next test: no fork, and it is warm."""
        reaper = self._reaper
        wanted = len(self._free) < _FREE and reaper is not None and reaper.is_alive
        if wanted and reaper is not None and supervisor.is_alive:
            self._free.append(reaper.renew(supervisor))
        else:
            supervisor.finish()

    def environment(self) -> dict[str, str]:
        """What a server that starts now is given."""
        return clean_environment(os.environ, self._environment_at_start)

    def environment_at_start(self) -> dict[str, str]:
        """The same for a server that is no test's own."""
        return clean_environment(self._environment_at_start)

    def finish(self, supervisor: Supervisor) -> None:
        """Let an unfinished supervisor go, ending what it still has.

        Raises:
            ReaperDied: It is gone already, or the reaper is.
        """
        if supervisor.is_free:
            self._take_back(supervisor)
            self.unfinished.pop(supervisor, None)
            return
        spare = self.unfinished[supervisor]
        supervisor.kill(
            term_grace=self.settings.kill_grace, limit=_KILL_LIMIT, spare=spare
        )
        if spare:
            self.reaper.keep(list(spare))
            self._kept.update(spare)
        supervisor.finish()
        del self.unfinished[supervisor]

    def close(self) -> None:
        """End the reaper and with it all that is left of the run."""
        reaper, self._reaper = self._reaper, None
        free, self._free = self._free, []
        if reaper is None:
            return
        try:
            for supervisor in free if reaper.is_alive else ():
                # Else the reaper would wait for it.
                supervisor.finish()
        finally:
            reaper.close()
