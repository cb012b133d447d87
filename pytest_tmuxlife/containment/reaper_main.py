"""The reaper: one small process per run that outlives it by a moment.

Started as ``python -I -S``; no child of pytest, for tested code may wait
for all its children. It forks a supervisor for each tmux server, and when
pytest dies in any way it sees to it that nothing of the run is left.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
from typing import NoReturn

from pytest_tmuxlife.containment import cgroup, kernel, killing, procfs, wire
from pytest_tmuxlife.containment.controller import Controller
from pytest_tmuxlife.containment.files import (
    read_record,
    remove_if_empty,
    remove_tree,
    write_record,
)
from pytest_tmuxlife.containment.strays import Strays
from pytest_tmuxlife.containment.supervise import supervise
from pytest_tmuxlife.containment.supervisor_main import (
    ORPHANED_KILL_LIMIT,
    ORPHANED_TERM_GRACE,
)

# A supervisor that was told to finish, or lost pytest, exits by itself.
_SUPERVISORS_LIMIT = ORPHANED_TERM_GRACE + ORPHANED_KILL_LIMIT + 0.2
# What was killed in a cgroup takes so long at most to leave it.
_CGROUP_LIMIT = 0.5


class Held:
    """A supervisor as the reaper knows it.

    Attributes:
        directory: Of its server; the next server's, once it is renewed.
        cgroup: Its own for life, "" without one.
    """

    __slots__ = ("cgroup", "directory")

    def __init__(self, directory: str, cgroup_path: str) -> None:
        self.directory = directory
        self.cgroup = cgroup_path


class Reaper:
    """The event loop of the process, and what it knows."""

    def __init__(
        self,
        control: socket.socket,
        pytest_pid: int,
        pytest_pidfd: int,
        run: str,
        run_cgroup: str,
        adopts: bool,
        controller: Controller,
    ) -> None:
        self.control = control
        self.pytest_pid = pytest_pid
        self.pytest_pidfd = pytest_pidfd
        self.run_directory = run
        self.run_id = os.path.basename(run)
        self.run_cgroup = run_cgroup
        self.adopts = adopts
        self.controller = controller
        self.supervisors: dict[int, Held] = {}
        self.kept: set[int] = set()
        self.inbox = wire.Inbox()
        self.descriptors: list[int] = []
        self.pidfd = os.pidfd_open(os.getpid())
        self.wakeup, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> NoReturn:
        """Serve until pytest says so, or is gone; then leave nothing."""
        try:
            self.control.sendall(wire.pack((0, {"pid": os.getpid()})))
        except ConnectionError:
            # pytest was killed meanwhile.
            self.close()
        poller = select.poll()
        for fd in (self.control.fileno(), self.pytest_pidfd, self.wakeup):
            poller.register(fd, select.POLLIN)
        self.controller.register(poller)
        while True:
            ready = dict(poller.poll(self.controller.patience))
            self.controller.look(ready, poller)
            if self.wakeup in ready:
                os.read(self.wakeup, 4096)
                self.is_empty()
            if self.pytest_pidfd in ready:
                break
            if self.control.fileno() in ready and not self.receive():
                break
        self.close()

    def receive(self) -> bool:
        """Carry out what pytest asks for; False once it has hung up."""
        try:
            data, descriptors = wire.receive_with_descriptors(self.control)
        except ConnectionResetError:
            return False
        # A message may come in pieces, its descriptor with the first.
        self.descriptors += descriptors
        for _, operation, arguments in self.inbox.feed(data):
            if operation == "supervise":
                self.fork_supervisor(self.descriptors.pop(0), **arguments)
            elif operation == "keep":
                self.kept.update(arguments["pids"])
            elif operation == "renewed" and arguments["pid"] in self.supervisors:
                self.supervisors[arguments["pid"]].directory = arguments["directory"]
        return bool(data)

    def fork_supervisor(self, descriptor: int, directory: str, mark: str) -> None:
        """Start a supervisor that talks on *descriptor*."""
        number = os.path.basename(directory)
        path = f"{self.run_cgroup}/{number}" if self.run_cgroup else ""
        pid = os.fork()
        if pid:
            os.close(descriptor)
            self.supervisors[pid] = Held(directory, path)
            return
        control = socket.socket(fileno=descriptor)
        try:
            self.control.close()
            os.close(self.wakeup)
            supervise(
                control,
                self.pytest_pid,
                self.pytest_pidfd,
                self.pidfd,
                directory,
                mark,
                path,
                self.adopts,
            )
        except BaseException as error:
            report_crash(control, error)
        finally:
            # An error in the child must never return into the reaper's loop.
            os._exit(5)

    def is_empty(self) -> bool:
        """Reap; end what a supervisor left when it was killed.

        True when only supervisors, and what was asked to be kept, are left.
        """
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                break
            self.kept.discard(pid)
            held = self.supervisors.pop(pid, None)
            if held is None:
                continue
            if os.waitstatus_to_exitcode(status) != 0:
                mark = f"{self.run_id}-{os.path.basename(held.directory)}"
                self.end_orphans(held.cgroup, mark, held.directory)
                remove_tree(held.directory)
            if held.cgroup:
                # What is kept until the run ends may be in it.
                cgroup.remove(held.cgroup)
        spared = self.spared
        # Without any, only ECHILD says so: /proc is no proof.
        return bool(spared) and all(
            pid in spared for pid in procfs.children(os.getpid())
        )

    @property
    def spared(self) -> set[int]:
        """Children that are no orphans to end."""
        return {*self.supervisors, *self.kept}

    def end_orphans(self, cgroup_path: str, mark: str, directory: str = "") -> None:
        """End all that is here or bears *mark*, but for what is to be kept.

        Args:
            cgroup_path: Cgroup of which nothing may stay.
            mark: Of one server or of the run.
            directory: Of the server, which is looked for if it is no orphan here.
        """
        strays = Strays(
            os.getpid(), cgroup_path, mark, self.held_elsewhere, adopts=self.adopts
        )
        if directory and not self.adopts:
            note_server(strays, directory)
        strays.note_marked()
        killing.end_descendants(
            os.getpid(),
            lambda: self.is_empty() and strays.is_empty(),
            self.pause,
            term_grace=ORPHANED_TERM_GRACE,
            limit=ORPHANED_KILL_LIMIT,
            skip=self.spared,
            strays=strays,
        )
        strays.forget()

    @property
    def held_elsewhere(self) -> set[int]:
        """Whose descendants are not ours for their mark: pytest, while it lives."""
        return set() if kernel.has_exited(self.pytest_pidfd) else {self.pytest_pid}

    def pause(self, seconds: float) -> None:
        """Wait so long, or until a child exits."""
        kernel.wait_for_wakeup(self.wakeup, seconds)

    def close(self) -> NoReturn:
        """Wait for the supervisors, end the rest, remove the directory."""
        deadline = time.monotonic() + _SUPERVISORS_LIMIT
        while self.supervisors and time.monotonic() < deadline:
            self.pause(0.05)
            self.is_empty()
        self.supervisors.clear()
        self.kept.clear()
        self.end_orphans(self.run_cgroup, self.run_id)
        if self.run_cgroup:
            cgroup.remove(self.run_cgroup, _CGROUP_LIMIT)
        remove_tree(self.run_directory)
        remove_if_empty(os.path.dirname(self.run_directory))
        os._exit(0)


def main(arguments: list[str]) -> NoReturn:
    """Become the reaper of the process named in *arguments*.

    Args:
        arguments: Descriptor of the socket pair, pid of pytest, its start
            time in ticks, the run's directory, that of its cgroup or "",
            ``adopts`` if the helpers shall be child subreapers, and the identity
            of the controller or "".
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # A job that is cancelled sends them to everything of it: pytest ends by
    # them, and we have still to end the rest. Supervisors inherit this.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    control = socket.socket(fileno=int(arguments[0]))
    os.set_inheritable(control.fileno(), False)
    try:
        hold(control, arguments)
    except BaseException as error:
        report_crash(control, error)
        raise


def hold(control: socket.socket, arguments: list[str]) -> NoReturn:
    """Be the reaper, detached already."""
    pytest_pid, start = int(arguments[1]), int(arguments[2])
    run, run_cgroup, adopts, controller = arguments[3:]
    kernel.set_name("tmuxlife-reaper")
    is_subreaper = adopts == "adopts" and kernel.become_subreaper()
    pytest_pidfd = kernel.open_pidfd(pytest_pid)
    if pytest_pidfd is None or procfs.start_ticks(pytest_pid) != start:
        os._exit(0)
    os.chdir("/")
    make_run_directory(run)
    me = os.getpid()
    write_record(
        run + "/owner",
        {
            "owner": f"{pytest_pid} {start}",
            "reaper": f"{me} {procfs.start_ticks(me)}",
            "cgroup": run_cgroup,
            "boot": procfs.boot_id(),
            "namespace": procfs.pid_namespace(),
        },
    )
    gc.freeze()
    gc.disable()
    Reaper(
        control,
        pytest_pid,
        pytest_pidfd,
        run,
        run_cgroup,
        is_subreaper,
        Controller(controller, pytest_pidfd),
    ).run()


def note_server(strays: Strays, directory: str) -> None:
    """Note the tmux server that a record names, and all below it."""
    from pytest_tmuxlife.containment.identity import Identity

    server = Identity.parse(read_record(directory + "/record").get("server", ""))
    pidfd = server.open() if server is not None else None
    if server is not None and pidfd is not None:
        strays.note(server.pid)
        os.close(pidfd)


def report_crash(control: socket.socket, error: BaseException) -> None:
    """Tell pytest what went wrong in a helper, with the lines it passed."""
    trace, where = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        where.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}")
        trace = trace.tb_next
    message = f"{error!r} at {' '.join(where)}"
    control.sendall(wire.pack((0, {"crash": message})))


def make_run_directory(run: str) -> None:
    """Make the run's directory, and the shared one that it stands in.

    The shared one is removed by whoever leaves it empty, so it can vanish
    between the two calls.
    """
    while True:
        try:
            os.mkdir(run, 0o700)
        except FileNotFoundError:
            try:
                os.mkdir(os.path.dirname(run), 0o700)
            except FileExistsError:
                continue
        else:
            os.mkdir(run + "/env", 0o700)
            return


if __name__ == "__main__":
    main(sys.argv[1:])
