"""pytest's side of the reaper: start it, ask it for supervisors, end it."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import weakref

from pytest_tmuxlife.containment import (
    cgroup,
    directories,
    helpers,
    kernel,
    own,
    procfs,
)
from pytest_tmuxlife.containment.channel import Channel
from pytest_tmuxlife.containment.files import remove_tree
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.owner import Owner
from pytest_tmuxlife.containment.supervisor import Supervisor, helper_name
from pytest_tmuxlife.errors import ReaperDied, TmuxLifeError

_PACKAGE_ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
# -I and -S keep the user's environment and site-packages out and the start
# short; our own package is found by the path that is added.
_BOOT = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from pytest_tmuxlife.containment.reaper_main import main; main(sys.argv[1:])"
)
_START_LIMIT = 20.0
_END_LIMIT = 8.0
_CGROUP_LIMIT = 0.5

# What the interpreter itself may need to load its libraries.
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "PATH")


class Reaper:
    """The helper process of one run; starts at construction.

    On return it runs, is no child of this process, and has made
    `run_directory`.

    Args:
        without: What it shall do without; see `layers.SWITCHED`.
        controller: Whose worker this process is: its parent, which ends the
            run when it ends. None if it is no worker.

    Raises:
        ReaperDied: It could not start; says why.
        SocketPathTooLong, TmuxLifeError: No directory can be used.
    """

    def __init__(
        self,
        without: frozenset[str] = frozenset(),
        controller: Identity | None = None,
    ) -> None:
        _check_system()
        self.run_directory = directories.choose_run_directory()
        self.run_id = os.path.basename(self.run_directory)
        home = "" if "cgroup" in without else cgroup.find_home()[0]
        self._cgroup = cgroup.of_run(home, self.run_id) if home else ""
        self.owner = Owner()
        self._numbers = itertools.count(1)
        self._lines: weakref.WeakSet[Channel] = weakref.WeakSet()
        ours, theirs = socket.socketpair()
        adopts = "adopts" if "subreaper" not in without else ""
        above = str(controller or "")
        try:
            with theirs:
                _start(theirs, self.run_directory, self._cgroup, adopts, above)
        except BaseException:
            ours.close()
            raise
        self._channel = Channel(ours, "reaper")
        try:
            self.pid: int = self._channel.hello(_START_LIMIT)["pid"]
            pidfd = kernel.open_pidfd(self.pid)
            if pidfd is None:
                raise ReaperDied("the reaper is gone already", helper="reaper")
        except BaseException:
            self._channel.close()
            remove_tree(self.run_directory)
            raise
        self._pidfd = own.claim(pidfd)

    @property
    def environment_directory(self) -> str:
        """The first that stands in TMUX_TMPDIR of the tested code."""
        return self.run_directory + "/env"

    @property
    def is_alive(self) -> bool:
        """False once the process is gone, or in a child forked from pytest."""
        return self.owner.is_this_process and not kernel.has_exited(self._pidfd)

    def supervise(self) -> Supervisor:
        """A new supervisor with an empty directory of its own.

        Raises:
            ReaperDied: The reaper, or the new supervisor, is gone.
        """
        self.owner.check()
        number, mark, directory = self._next_server()
        ours, theirs = socket.socketpair()
        with theirs:
            channel = Channel(ours, helper_name(mark), self._if_gone)
            try:
                self._channel.tell(
                    "supervise", theirs.fileno(), directory=directory, mark=mark
                )
            except ReaperDied:
                channel.close()
                raise
        self._lines.add(channel)
        return Supervisor(channel, directory, mark, number)

    def renew(self, supervisor: Supervisor) -> Supervisor:
        """A free supervisor made ready for another server, without waiting.

        Raises:
            ReaperDied: The reaper, or the supervisor, is gone.
        """
        number, mark, directory = self._next_server()
        renewed = supervisor.renewed(directory, mark, number)
        self._channel.tell("renewed", pid=supervisor.pid, directory=directory)
        return renewed

    def _next_server(self) -> tuple[int, str, str]:
        number = next(self._numbers)
        return number, f"{self.run_id}-{number}", f"{self.run_directory}/{number}"

    def _if_gone(self) -> str | None:
        # Its supervisors follow it; one that is killed leaves it alive.
        return None if self.is_alive else f"reaper (pid {self.pid})"

    def keep(self, pids: list[int]) -> None:
        """Spare these orphans until the run ends."""
        self._channel.tell("keep", pids=pids)

    def close(self) -> None:
        """End it; on return the process and the run's directory are gone.

        If it was killed, what its supervisors have not ended is ended here.

        Raises:
            ReaperDied: It outlived the limit.
        """
        if not self.owner.is_this_process or self._pidfd < 0:
            return
        # A supervisor that was not let go takes it as the end of the run.
        for channel in [self._channel, *self._lines]:
            channel.close()
        gone = kernel.has_exited(self._pidfd, _END_LIMIT)
        own.close(self._pidfd)
        self._pidfd = -1
        if not gone:
            raise ReaperDied(
                f"the reaper (pid {self.pid}) is still busy {_END_LIMIT:.0f} s "
                "after the end of the run",
                helper="reaper",
            )
        if os.path.isdir(self.run_directory):
            from pytest_tmuxlife.containment.sweep import finish_run

            finish_run(self.run_directory)
        if self._cgroup and os.path.isdir(self._cgroup):
            # It was killed, or something has outlived the KILL.
            cgroup.kill(self._cgroup)
            cgroup.remove(self._cgroup, _CGROUP_LIMIT)


def _start(theirs: socket.socket, *run: str) -> None:
    me = os.getpid()
    environment = {
        name: value for name, value in os.environ.items() if name in _KEPT_VARIABLES
    }
    environment[helpers.VARIABLE] = os.path.basename(run[0])
    arguments = [
        str(theirs.fileno()),
        str(me),
        str(procfs.start_ticks(me)),
        *run,
    ]
    # It forks and its first process exits at once, so that no child stays.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _BOOT, _PACKAGE_ROOT, *arguments],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        check=False,
        timeout=_START_LIMIT,
    )
    if done.returncode != 0:
        raise ReaperDied(
            f"the reaper could not start: {sys.executable} -I -S ended with status "
            f"{done.returncode}",
            helper="reaper",
        )


def _check_system() -> None:
    if sys.platform != "linux":
        raise TmuxLifeError(
            "processes are held by Linux's child subreaper; there is no other way "
            f"built in for {sys.platform} yet"
        )
    try:
        pidfd = kernel.open_pidfd(os.getpid())
    except OSError as error:
        raise TmuxLifeError(
            f"pidfd_open is refused here ({error.strerror}); it needs Linux 5.3 and "
            "a sandbox that allows it"
        ) from error
    assert pidfd is not None
    os.close(pidfd)
