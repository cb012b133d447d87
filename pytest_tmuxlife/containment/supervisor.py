"""pytest's side of a supervisor: one tmux server's processes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_tmuxlife.containment.channel import Channel
from pytest_tmuxlife.containment.client_run import ClientRun, Completed
from pytest_tmuxlife.containment.processes import ProcessTree, note_tree
from pytest_tmuxlife.errors import ReaperDied, ServerNotRunning

_START_LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class Holding:
    """What a supervisor holds at one moment.

    Attributes:
        empty: Nothing is left: waitid said ECHILD.
        children: Pids that are its children now: the server, and orphans.
        server: The tmux server's process is among them.
        statuses: Exit statuses of those of its children that ended.
        strays: What is ours and does not descend from it, by pid, with the
            layers that see it.
    """

    empty: bool
    children: Sequence[int]
    server: bool
    statuses: Mapping[int, int]
    strays: Mapping[int, Sequence[str]] = field(default_factory=dict)


class Supervisor:
    """Talks to one supervisor process; made by `Reaper.supervise`.

    Attributes:
        directory: Mode 0700, its own, removed when it finishes.
        mark: Value of TMUXLIFE_MARK for all that it starts.
        number: Counts the servers of the run, from 1.
    """

    def __init__(
        self, channel: Channel, directory: str, mark: str, number: int
    ) -> None:
        self._channel = channel
        self.directory = directory
        self.mark = mark
        self.number = number
        self._pid = 0
        self._cgroup = ""
        self._adopts = True
        self._renewal = 0
        self._free = False
        self._finished = False

    @property
    def pid(self) -> int:
        """Of the supervisor; on return it is ready and its directory is made.

        Raises:
            ReaperDied: It could not start.
        """
        if not self._pid:
            try:
                if self._renewal:
                    answer = self._channel.answer(self._renewal, _START_LIMIT)
                else:
                    answer = self._channel.hello(_START_LIMIT)
            except BaseException:
                self._channel.close()
                raise
            self._cgroup, self._adopts = answer["cgroup"], answer["adopts"]
            self._pid = answer["pid"]
        return self._pid

    @property
    def cgroup(self) -> str:
        """Directory of the cgroup that all it starts is born in, "" without one.

        Raises:
            ReaperDied: It could not start.
        """
        return self._cgroup if self.pid else ""

    @property
    def is_free(self) -> bool:
        """Nothing was left of its server: it can hold another one."""
        return self._free

    def renewed(self, directory: str, mark: str, number: int) -> Supervisor:
        """The same process for another server; this handle is done with.

        Only for one that is free. Does not wait: `pid` does.
        """
        # First of all: whoever still has this handle is refused from now on.
        self._finished = True
        other = Supervisor(self._channel, directory, mark, number)
        self._channel.helper = helper_name(mark)
        other._renewal = self._channel.post("renew", directory=directory, mark=mark)
        return other

    def _check(self) -> None:
        if self._finished:
            raise ServerNotRunning(
                "the test of this tmux server has ended, and the server with it",
                socket_path="",
                stderr="",
            )

    def _ask(self, operation: str, limit: float = 0.0, **args: Any) -> dict[str, Any]:
        self._check()
        return self._channel.ask(operation, limit=limit, **args)

    @property
    def is_alive(self) -> bool:
        """False once the helper is gone, or holds another server."""
        return not self._finished and self._channel.is_open

    def run(
        self,
        argv: Sequence[str | bytes],
        env: Mapping[str, str],
        *,
        timeout: float,
        stdin: bytes = b"",
    ) -> Completed:
        """Run a tmux client to its end, as child of the supervisor.

        Args:
            argv: Program and arguments; the program by its path.
            env: Its whole environment.
            timeout: Seconds after which it is killed, with its children.
            stdin: What it reads.

        Raises:
            TmuxNotFound: The program cannot be started.
            ReaperDied: The supervisor is gone.
        """
        return self._post(argv, env, timeout=timeout, stdin=stdin).result()

    def start_server(
        self,
        argv: Sequence[str | bytes],
        env: Mapping[str, str],
        *,
        timeout: float,
        makes: Mapping[str, str | None],
    ) -> ClientRun:
        """Have a client started that starts a tmux server, without waiting.

        Its output begins with the pid of the server.

        Args:
            argv: Program and arguments; the program by its path.
            env: Its whole environment, and the server's.
            timeout: Seconds after which it is killed.
            makes: What is to be made before that, in order: files with this text,
                directories of mode 0700 for None.

        Raises:
            ReaperDied: The supervisor is gone.
        """
        return self._post(
            argv,
            env,
            timeout=timeout,
            starts_server=True,
            makes=[
                (path, None if text is None else os.fsencode(text))
                for path, text in makes.items()
            ],
        )

    def _post(
        self,
        argv: Sequence[str | bytes],
        env: Mapping[str, str],
        *,
        timeout: float,
        stdin: bytes = b"",
        starts_server: bool = False,
        makes: Sequence[tuple[str, bytes | None]] = (),
    ) -> ClientRun:
        self._check()
        number = self._channel.post(
            "run",
            argv=[os.fsencode(word) for word in argv],
            env={os.fsencode(name): os.fsencode(text) for name, text in env.items()},
            stdin=stdin,
            timeout=float(timeout),
            starts_server=starts_server,
            makes=list(makes),
        )
        return ClientRun(self._channel, number, os.fsdecode(argv[0]), timeout)

    def end(
        self,
        grace: float,
        *,
        server_limit: float,
        signal_server: bool = True,
        release: bool = False,
    ) -> Holding:
        """Send the server TERM, which is what kill-server does, and wait.

        Returns as soon as nothing is left, else after *grace* seconds. A
        server that is still there after *server_limit* seconds is killed.
        With *release*, and if nothing is left, it removes the directory and
        is free for another server.

        Raises:
            ReaperDied: The supervisor is gone.
        """
        holding = _holding(
            self._ask(
                "end",
                limit=grace,
                grace=float(grace),
                server_limit=float(server_limit),
                signal_server=signal_server,
                release=release,
            )
        )
        self._free = holding.empty and release
        return holding

    @property
    def adopts(self) -> bool:
        """It is a child subreaper: what descends from its server stays below it.

        Raises:
            ReaperDied: It could not start.
        """
        return self._adopts and self.pid > 0

    def note_tree(self) -> ProcessTree:
        """All that it holds now; without a subreaper, as far as that is known.

        Raises:
            ReaperDied: The supervisor is gone.
        """
        pid = self.pid
        return note_tree(pid, also=() if self._adopts else self.look().strays)

    def look(self, *, marked: bool = False) -> Holding:
        """What is there now.

        Args:
            marked: Also look for strays that bear its mark: that reads the
                environment of each process of this user.
        """
        return _holding(self._ask("look", marked=marked))

    def kill(
        self,
        *,
        term_grace: float,
        limit: float = 2.0,
        spare: Sequence[int] = (),
        known: Sequence[int] = (),
    ) -> Holding:
        """CONT and TERM to all, then KILL until nothing is left, bounded.

        Args:
            term_grace: Seconds between TERM and KILL.
            limit: Seconds for the KILL.
            spare: Pids to leave alone, with all below them.
            known: Pids to leave alone, but not what is below them.
        """
        return _holding(
            self._ask(
                "kill",
                limit=term_grace + limit,
                term_grace=float(term_grace),
                kill_limit=float(limit),
                spare=list(spare),
                known=list(known),
            )
        )

    def drop(self) -> None:
        """Have it end all that it holds and exit, without waiting for it.

        As if pytest had ended: no grace, and no verdict. It may be gone.
        """
        self._finished = True
        self._channel.close()

    def finish(self) -> None:
        """Remove the directory; the process exits, what is left it hands on.

        On return the directory is gone. A supervisor that is gone already is
        fine: what it held has been ended.
        """
        if self._finished:
            return
        try:
            self._ask("finish")
            self._finished = True
        except ReaperDied:
            if self._channel.is_open:
                raise
        finally:
            self._channel.close()


def helper_name(mark: str) -> str:
    """What errors call the supervisor of the server with this mark."""
    return f"supervisor of tmux server {mark}"


def _holding(answer: dict[str, object]) -> Holding:
    return Holding(**answer)  # type: ignore[arg-type]
