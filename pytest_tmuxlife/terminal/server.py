"""A private tmux server, held by a supervisor."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_tmuxlife import arguments
from pytest_tmuxlife.containment import kernel, own
from pytest_tmuxlife.containment.client_run import ClientRun
from pytest_tmuxlife.containment.directories import check_socket_path, socket_in
from pytest_tmuxlife.containment.processes import ProcessInfo
from pytest_tmuxlife.containment.supervisor import Supervisor
from pytest_tmuxlife.errors import ServerNotRunning, ServerStillAlive, TmuxLifeError
from pytest_tmuxlife.open_files import explained
from pytest_tmuxlife.terminal import health
from pytest_tmuxlife.terminal.directory import PaneDirectory
from pytest_tmuxlife.terminal.health import Health
from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.programs.channel import PromptChannel
from pytest_tmuxlife.terminal.programs.presets import default_shell
from pytest_tmuxlife.terminal.programs.program import Launch, Program
from pytest_tmuxlife.terminal.session import Session, check_session_name
from pytest_tmuxlife.terminal.start import starting
from pytest_tmuxlife.terminal.start.environment import reaching
from pytest_tmuxlife.terminal.start.making import (
    Beside,
    session_arguments,
    split_arguments,
)
from pytest_tmuxlife.terminal.start.options import Options
from pytest_tmuxlife.terminal.tmux.client import Client, TmuxReply
from pytest_tmuxlife.terminal.tmux.differences import with_history_limit

if TYPE_CHECKING:
    from pytest_tmuxlife.terminal.start.spare import SpareServer
    from pytest_tmuxlife.terminal.tmux.libtmux_bridge import BoundServer

# One that is well answers in 0.2 ms; instead of another a fresh one can be had.
_SPARE_LIMIT = 1.0


class Server:
    """A tmux server on a private socket. It starts when it is first needed.

    Args:
        supervisor: Holds the server's processes.
        tmux: Path of the tmux program.
        environment: What the server and its panes get.
        options: For the server, and for its sessions and panes unless they
            are given others.
        engine: ``native`` or ``process``.
        timeout_scale: Multiplies every time limit of waits and calls.

    Raises:
        SocketPathTooLong: The supervisor's directory is too deep.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        tmux: str,
        environment: Mapping[str, str],
        options: Options,
        engine: str = "native",
        timeout_scale: float = 1.0,
    ) -> None:
        self.supervisor = supervisor
        # What its sessions get, and what it was started with itself.
        self.options = self._made_by = options
        self._socket_path = check_socket_path(socket_in(supervisor.directory))
        self._environment = starting.environment_of(
            supervisor, {**environment, **options.env}
        )
        self._client = Client(
            supervisor,
            tmux=tmux,
            socket_path=self._socket_path,
            environment=self._environment,
            engine=engine,
            timeout=options.timeout,
            timeout_scale=timeout_scale,
        )
        self._timeout_scale = timeout_scale
        self._directory = PaneDirectory(
            self._client,
            options.timeout,
            lambda beside, given: self._new(None, given, "split", beside)[1],
        )
        self._pid = 0
        self._pidfd = -1

    def __repr__(self) -> str:
        state = "not started"
        if self._pid:
            state = f"pid {self._pid}, {'running' if self.is_running else 'ended'}"
        return f"<Server {self._socket_path} {state}>"

    # -- what it is ---------------------------------------------------------

    @property
    def socket_path(self) -> str:
        """Its socket; on return a server listens there."""
        self.start()
        return self._socket_path

    @property
    def pid(self) -> int:
        """Of the tmux server's process."""
        self.start()
        return self._pid

    @property
    def started_pid(self) -> int:
        """Its pid, or 0 if it was never needed."""
        return self._pid

    @property
    def is_running(self) -> bool:
        """It was started, and its process has not exited."""
        return self._pidfd >= 0 and not kernel.has_exited(self._pidfd)

    @property
    def env(self) -> dict[str, str]:
        """An environment in which a bare ``tmux`` reaches this server."""
        self.start()
        return reaching(self.supervisor.directory, self._environment)

    @property
    def engine(self) -> str:
        """The door that calls go through: ``native`` or ``process``."""
        return self._client.engine

    @property
    def libtmux(self) -> BoundServer:
        """A `libtmux.Server` bound to this server."""
        self.start()
        return self._directory.libtmux_server()

    @property
    def sessions(self) -> list[Session]:
        """Its tmux sessions, those of the tested code too; empty once it has ended.

        Raises:
            ServerNotRunning: It is there, and does not answer.
        """
        try:
            reply = self.cmd("list-sessions", "-F", "#{session_id}")
        except ServerNotRunning as error:
            if error.timeout:
                raise
            return []
        return [Session(self._directory, line) for line in reply.stdout]

    @property
    def panes(self) -> list[Pane]:
        """All panes of all sessions; empty once it has ended.

        Raises:
            ServerNotRunning: It is there, and does not answer.
        """
        self.start()
        return self._directory.panes("-a")

    def processes(self) -> list[ProcessInfo]:
        """The server and all that came of it, orphans too, parents first.

        Empty once the test has ended.
        """
        if not self.supervisor.is_alive:
            return []
        return list(self.supervisor.note_tree().processes.values())

    def health(self) -> Health:
        """Whether it runs and answers; never raises for its end."""
        return health.of_server(self._client, self.pid, is_running=self.is_running)

    # -- what it does -------------------------------------------------------

    @explained
    def start(self) -> None:
        """Start the server without a session, if it was never started.

        It stays although it is empty, and ends with its last session, as
        tmux does, from its first one on.

        Raises:
            ServerNotRunning: It could not be started.
        """
        if not self._pid:
            self._start(starting.STAYS_EMPTY)

    def take(self, spare: SpareServer) -> None:
        """Go on with a server that was started before, instead of starting one.

        For one that was not started yet, with the supervisor of *spare*, and the
        environment and configuration that it was started with. On return it
        is well, and has the options that this one is to start with.

        Raises:
            TmuxLifeError: It has not started, or is not well: it is to be ended.
        """
        self._started(spare.starting)
        starting.check(self._pid, self._socket_path)
        changes = starting.changes(spare.options, self._made_by)
        if changes:
            self._client.query(*changes, timeout=_SPARE_LIMIT)

    def _start(self, first: Sequence[str]) -> str:
        begun = self._client.begin_start(starting.config_of(self._made_by), first)
        return self._started(begun)

    def _started(self, begun: ClientRun) -> str:
        client = self._client
        line = client.end_start(begun).decode("utf-8", "backslashreplace")
        self._pid, self._pidfd = starting.identify(line, client, self.supervisor)
        return line

    def cmd(
        self, *args: str, timeout: float | None = None, stdin: bytes = b""
    ) -> TmuxReply:
        """Have tmux carry out a command; what it refuses is no exception.

        Args:
            args: Command and arguments, as on tmux's command line.
            timeout: Seconds, more than 0; None for the default.
            stdin: What ``-`` as a file name reads.

        Raises:
            TmuxLifeError: An argument that cannot be given to it.
            ServerNotRunning: The server has ended, or does not answer.
        """
        if not args:
            raise TmuxLifeError("cmd needs the name of a tmux command")
        for arg in args:
            if not isinstance(arg, (str, int, os.PathLike)):
                raise arguments.refused("an argument of cmd", arg, "text (a str)")
        if timeout is not None:
            arguments.seconds("timeout", timeout, may_be_zero=False)
        if not isinstance(stdin, bytes):
            raise arguments.refused("stdin", stdin, "bytes")
        self.start()
        return TmuxReply.of(
            self._client.call([str(arg) for arg in args], stdin=stdin, timeout=timeout)
        )

    def new_session(self, name: str | None = None, **options: Any) -> Session:
        """Make a tmux session; on return its program shows its prompt.

        A program without a known prompt has been started, no more.

        Args:
            name: Of the session; tmux counts from 0 without one.
            options: As for the server, but for ``config``.

        Raises:
            TmuxLifeError: An option, a name or a program that cannot be.
            WaitTimeout: The prompt did not come; shows the screen.
            PaneNotReady: Nor can it: tmux shows a mistake in ``config`` (3.3a).
            PaneDied: The program ended at once.
        """
        session, _ = self._new(name, options, "new_session")
        return session

    def new_pane(
        self, program: Program | str | Sequence[str] | None = None, **options: Any
    ) -> Pane:
        """Start *program* in a tmux session of its own; return its pane.

        Args:
            program: An argv list, a line for the shell, a `Program`, or the name
                of a preset (``bash``, ``python``).
            options: As for `new_session`. Errors too.
        """
        if program is not None:
            options["program"] = program
        _, pane = self._new(None, options, "new_pane")
        return pane

    @explained
    def _new(
        self,
        name: str | None,
        given: Mapping[str, Any],
        where: str,
        beside: Beside | None = None,
    ) -> tuple[Session, Pane]:
        if "config" in given:
            raise TmuxLifeError(
                f"{where}: config is fixed when the server starts; give it to "
                "tmux_server_factory, tmux_options or the marker tmux",
                option="config",
                where=where,
            )
        options = self.options.updated(given, where)
        path = {**self._environment, **options.env}.get("PATH")
        program = options.program or default_shell(path)
        if name is not None:
            check_session_name(name)
        launch = program.prepare(self.supervisor.directory, path)
        # Open before the shell starts: what is written to a FIFO that nobody
        # holds open is lost.
        channel = PromptChannel(launch.channel) if launch.channel else None
        try:
            line = self._create(name, options, launch, beside)
            session_id, pane = self._directory.enter(
                line, launch, channel, options.timeout
            )
        except BaseException:
            if channel is not None:
                channel.close()
            raise
        if launch.channel or launch.prompt is not None:
            pane.wait_for_prompt()
        return Session(self._directory, session_id, pane), pane

    def _create(
        self,
        name: str | None,
        options: Options,
        launch: Launch,
        beside: Beside | None,
    ) -> str:
        remains = options.remain_on_exit and not self._made_by.remain_on_exit
        if beside is not None:
            arguments = split_arguments(beside, options, launch, remains=remains)
        else:
            arguments = session_arguments(name, options, launch, remains=remains)
        if not self._pid:
            return self._start(arguments)
        limit, default = options.history_limit, self._made_by.history_limit
        return self._client.query(*with_history_limit(arguments, limit, default))

    def kill(self, timeout: float | None = None) -> None:
        """Stop the server and return once its process has exited.

        tmux answers kill-server before the server is gone, so this waits for
        the process itself. On one that has ended, or never started, it does
        nothing. What outlives it is reported at the end of the test.

        Args:
            timeout: Seconds for the exit; None for the default, 0 looks once.

        Raises:
            ServerStillAlive: The process outlived *timeout*.

        Source: tmux(1) kill-server; pidfd_open(2).
        """
        self._client.owner.check()
        limit = self.options.timeout
        if timeout is not None:
            limit = arguments.seconds("timeout", timeout)
        limit *= self._timeout_scale
        if self._pidfd < 0 or not kernel.send_signal(self._pidfd, 15):
            return
        if not kernel.has_exited(self._pidfd, limit):
            raise ServerStillAlive(
                f"tmux server {self._pid} on {self._socket_path} is still alive "
                f"{limit:g} s after kill-server; is it stopped, or a client stuck?",
                pid=self._pid,
                socket_path=self._socket_path,
                timeout=limit,
            )

    @property
    def pane_ids(self) -> dict[int, str]:
        """Ids of the panes that were handed out, by the pid of their program."""
        return self._directory.ids()

    def follow_no_more(self) -> None:
        """Close what `Pane.follow` has given: each has a process here."""
        self._directory.follow_no_more()

    def close(self) -> None:
        """Close our descriptors; whoever holds the supervisor ends the server."""
        self._directory.close()
        if self._pidfd >= 0:
            own.close(self._pidfd)
            self._pidfd = -1
