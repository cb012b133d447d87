"""The supervisor: holds one tmux server and everything that comes of it.

A process of its own, forked by the reaper. It is a child subreaper, so
whatever daemonizes below it becomes its child, and `waitpid` saying ECHILD
means that nothing is left. It runs the tmux clients too: pytest itself never
has a child of ours. When pytest or the reaper dies, it ends all it holds.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import time
from typing import Any, NoReturn

from pytest_tmuxlife.containment import cgroup, kernel, killing, lineage, procfs, wire
from pytest_tmuxlife.containment.ending import Ending
from pytest_tmuxlife.containment.files import (
    make,
    remove_run_if_done,
    remove_tree,
    write_record,
)
from pytest_tmuxlife.containment.held_server import HeldServer
from pytest_tmuxlife.containment.jobs import Job
from pytest_tmuxlife.containment.strays import Strays

# When pytest is gone there is nobody left to wait for.
ORPHANED_TERM_GRACE = 0.3
ORPHANED_KILL_LIMIT = 2.0
_STATUSES_KEPT = 256


class Supervisor:
    """The event loop of the process, and what it knows."""

    def __init__(
        self,
        control: socket.socket,
        pytest_pid: int,
        pytest_pidfd: int,
        reaper_pidfd: int,
        wakeup: int,
        directory: str,
        mark: str,
        cgroup_path: str,
        adopts: bool,
    ) -> None:
        self.control = control
        self.pytest_pidfd = pytest_pidfd
        self.reaper_pidfd = reaper_pidfd
        self.wakeup = wakeup
        self.directory = directory
        self.strays = Strays(
            os.getpid(), cgroup_path, mark, {pytest_pid}, adopts=adopts
        )
        self.inbox = wire.Inbox()
        self.jobs: dict[int, Job] = {}
        self.server = HeldServer()
        self.statuses: dict[int, int] = {}
        self.ending: Ending | None = None
        self.finished = False
        self.is_orphaned = False
        self.poller = select.poll()
        for fd in (control.fileno(), pytest_pidfd, reaper_pidfd, wakeup):
            self.poller.register(fd, select.POLLIN)

    # -- the loop ---------------------------------------------------------

    def run(self) -> NoReturn:
        """Serve requests until told to finish, or until pytest is gone."""
        self.reply(0, self.introduction())
        while not self.finished:
            ready = dict(self.poller.poll(self.poll_timeout()))
            if self.pytest_pidfd in ready or self.reaper_pidfd in ready:
                self.end_everything()
            for job in list(self.jobs.values()):
                job.transfer(ready, self.poller)
            if self.wakeup in ready:
                os.read(self.wakeup, 4096)
                self.reap()
                self.check_ending()
            if self.control.fileno() in ready:
                self.receive()
            self.check_deadlines()
        os._exit(0)

    def introduction(self) -> dict[str, Any]:
        """Who this is, as an answer."""
        return {
            "pid": os.getpid(),
            "cgroup": self.strays.cgroup,
            "adopts": self.strays.adopts,
        }

    def poll_timeout(self) -> int | None:
        """Milliseconds until the next deadline; None without one."""
        deadlines = [job.deadline for job in self.jobs.values()]
        if self.ending is not None:
            deadlines += [self.ending.deadline, self.ending.look_at]
            if not self.ending.server_killed:
                deadlines.append(self.ending.kill_server_at)
        if not deadlines:
            return None
        return max(0, int((min(deadlines) - time.monotonic()) * 1000) + 1)

    def check_deadlines(self) -> None:
        """Act on each time limit that has run out."""
        now = time.monotonic()
        for job in list(self.jobs.values()):
            if now >= job.deadline and not job.timed_out:
                job.timed_out = True
                self.kill_job(job)
        ending = self.ending
        if ending is None:
            return
        if now >= ending.kill_server_at and not ending.server_killed:
            ending.server_killed = True
            self.server.signal(signal.SIGKILL)
        if now >= ending.look_at:
            self.check_ending()
        if self.ending is not None and now >= ending.deadline:
            self.ending = None
            self.reply(ending.request, self.state(empty=False))

    # -- children ---------------------------------------------------------

    def reap(self) -> bool:
        """Reap all that exited; True when no descendant is left (ECHILD)."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            self.note_exit(pid, os.waitstatus_to_exitcode(status))

    def note_exit(self, pid: int, exit_code: int) -> None:
        """Answer for a client; remember the status of anything else."""
        job = self.jobs.pop(pid, None)
        if job is not None:
            self.reply(job.request, job.result(exit_code, self.poller))
            if job.is_server_start and self.server.adopt(job.output, self.strays.mark):
                self.record()
            return
        if len(self.statuses) >= _STATUSES_KEPT:
            self.statuses.clear()
        self.statuses[pid] = exit_code
        self.server.has_exited(pid)

    def is_empty(self) -> bool:
        """Nothing at all is left, strays included."""
        return self.reap() and self.strays.is_empty()

    def check_ending(self) -> None:
        """Answer who waits for the end, if nothing is left."""
        ending = self.ending
        if ending is None:
            return
        is_alone = self.reap()
        if is_alone and self.strays.is_empty():
            self.ending = None
            self.answer_empty(ending.request, ending.release)
        elif is_alone or not self.strays.adopts:
            ending.look_later()

    def kill_job(self, job: Job) -> None:
        """End a client with all below it."""
        # Unreaped, so its pid is still its own.
        pidfd = kernel.open_pidfd(job.pid)
        if pidfd is None:
            return
        killing.signal_descendants(job.pid, (signal.SIGKILL,))
        kernel.send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)

    def record(self) -> None:
        """Write down who we are, for a run that finds this after a crash."""
        me = os.getpid()
        write_record(
            self.directory + "/record",
            {
                "supervisor": f"{me} {procfs.start_ticks(me)}",
                "server": self.server.identity,
                "mark": self.strays.mark,
            },
        )

    def note_strays(self) -> None:
        """Without a subreaper: what is below the server now is lost with it."""
        if not self.strays.adopts:
            self.strays.note(self.server.pid if self.server.lives else 0)

    def pause(self, seconds: float) -> None:
        """Wait so long, or until a child exits."""
        kernel.wait_for_wakeup(self.wakeup, seconds)

    def end_children(
        self,
        term_grace: float,
        limit: float,
        spare: frozenset[int] = frozenset(),
        known: frozenset[int] = frozenset(),
    ) -> bool:
        """The killing ladder on all that is here, but for some of it.

        Left alone are those to *spare* with all below them, and those that are
        *known*. True if nothing else is left.
        """

        def is_empty() -> bool:
            alone = self.reap() or not lineage.has_others(os.getpid(), spare, known)
            return alone and (spare | known).issuperset(self.strays.find())

        self.note_strays()
        self.strays.note_marked()
        return killing.end_descendants(
            os.getpid(),
            is_empty if spare or known else self.is_empty,
            self.pause,
            term_grace=term_grace,
            limit=limit,
            skip=spare,
            known=known,
            strays=self.strays,
        )

    def end_everything(self) -> NoReturn:
        """Nobody is left to talk to: end all, remove the directory, exit."""
        self.is_orphaned = True
        self.end_children(ORPHANED_TERM_GRACE, ORPHANED_KILL_LIMIT)
        remove_tree(self.directory)
        if kernel.has_exited(self.reaper_pidfd):
            self.leave_cgroup()
            remove_run_if_done(os.path.dirname(self.directory))
        os._exit(3)

    def leave_cgroup(self) -> None:
        """Remove our cgroup, and that of the run if no other is in it."""
        path = self.strays.cgroup
        if path:
            run = os.path.dirname(path)
            cgroup.leave(path, os.path.dirname(run))
            cgroup.remove_if_empty(run)

    # -- requests ---------------------------------------------------------

    def receive(self) -> None:
        """Carry out what pytest asks for; end all if it has hung up."""
        try:
            data = self.control.recv(wire.MAX_CHUNK)
        except ConnectionResetError:
            data = b""
        if not data:
            self.end_everything()
        for request, operation, arguments in self.inbox.feed(data):
            getattr(self, "do_" + operation)(request, **arguments)

    def reply(self, request: int, answer: dict[str, Any]) -> None:
        """Send an answer; end all if nobody takes it."""
        if self.is_orphaned:
            # What is ended now has not ended by itself: better no answer.
            return
        try:
            self.control.sendall(wire.pack((request, answer)))
        except (BrokenPipeError, ConnectionResetError):
            self.end_everything()

    def state(self, *, empty: bool) -> dict[str, Any]:
        """What is held now, as an answer."""
        return {
            "empty": empty,
            "children": [] if empty else procfs.children(os.getpid()),
            "strays": {} if empty else self.strays.find(),
            "server": self.server.lives,
            "statuses": self.statuses,
        }

    def do_run(
        self,
        request: int,
        *,
        argv: list[bytes],
        env: dict[bytes, bytes],
        stdin: bytes,
        timeout: float,
        starts_server: bool,
        makes: list[tuple[str, bytes | None]],
    ) -> None:
        """Run one tmux client; answers with its status and what it printed."""
        for path, content in makes:
            try:
                make(path, content)
            except OSError as error:
                self.reply(request, {"error": error.errno, "path": path})
                return
        try:
            job = Job.start(request, argv, env, stdin, timeout, self.poller)
        except (OSError, ValueError) as error:
            # ValueError: a NUL in a word.
            code = getattr(error, "errno", None) or errno.EINVAL
            self.reply(request, {"error": code})
            return
        job.is_server_start = starts_server
        self.jobs[job.pid] = job

    def do_abandon(self, request: int, *, which: int) -> None:
        """End the client of a request that nobody waits for any more."""
        for job in self.jobs.values():
            if job.request == which:
                self.kill_job(job)
        if self.ending is not None and self.ending.request == which:
            self.ending = None
        self.reply(request, {})

    def answer_empty(self, request: int, release: bool) -> None:
        """Nothing is left; with *release* the directory is not needed either."""
        self.reply(request, self.state(empty=True))
        if release:
            # After the answer: whoever asks for another server waits for it.
            remove_tree(self.directory)

    def do_end(
        self,
        request: int,
        *,
        grace: float,
        server_limit: float,
        signal_server: bool,
        release: bool,
    ) -> None:
        """TERM to the server (what kill-server does), then wait for ECHILD."""
        self.note_strays()
        if self.is_empty():
            self.answer_empty(request, release)
            return
        if signal_server:
            self.server.end()
        now = time.monotonic()
        self.ending = Ending(request, now + grace, now + server_limit, release)
        # No child may be left whose end would say that only strays are.
        self.check_ending()

    def do_look(self, request: int, *, marked: bool) -> None:
        """Is anything left? Costs nothing with the host's size, unless *marked*."""
        self.note_strays()
        if marked:
            self.strays.note_marked()
        self.reply(request, self.state(empty=self.is_empty()))

    def do_kill(
        self,
        request: int,
        *,
        term_grace: float,
        kill_limit: float,
        spare: list[int],
        known: list[int],
    ) -> None:
        """The ladder, for what the verdict has described."""
        empty = self.end_children(
            term_grace, kill_limit, frozenset(spare), frozenset(known)
        )
        self.reply(request, self.state(empty=empty))

    def do_renew(self, request: int, *, directory: str, mark: str) -> None:
        """Hold another server, now that nothing is left of the one before."""
        if self.jobs or not self.reap():
            raise RuntimeError("asked to hold another server while it holds one")
        self.directory, self.strays.mark = directory, mark
        self.strays.forget()
        self.server.release()
        self.statuses.clear()
        os.mkdir(directory, 0o700)
        self.record()
        self.reply(request, self.introduction())

    def do_finish(self, request: int) -> None:
        """Remove the directory and exit; what is kept goes to the reaper."""
        remove_tree(self.directory)
        self.finished = True
        self.reply(request, {})
