"""A pane: type into it, wait for what it shows, run commands in it."""

from __future__ import annotations

from functools import cached_property

from pytest_tmuxlife.containment.processes import (
    ProcessInfo,
    note_tree,
    process_info,
)
from pytest_tmuxlife.terminal import health, size
from pytest_tmuxlife.terminal.commands.runner import run_in
from pytest_tmuxlife.terminal.dialogue import exits
from pytest_tmuxlife.terminal.dialogue.dialogue import Dialogue
from pytest_tmuxlife.terminal.dialogue.exits import ExitStatus
from pytest_tmuxlife.terminal.dialogue.stream import LineStream
from pytest_tmuxlife.terminal.health import Health
from pytest_tmuxlife.terminal.sight.command import CommandResult


class Pane(Dialogue):
    """One pane of a tmux server. Made by `Server` and `Session`.

    Attributes:
        id: As tmux names it, ``%3``; never reused by a server.
        pid: Of its first process; 0 of one that had ended before, and of which tmux
            (3.8) does not tell it any more.
        terminal: Path of its terminal.
        program: Name of the program that was started in it.
        server_pid: Of the tmux server.
    """

    @cached_property
    def _streams(self) -> list[LineStream]:
        return []

    def close(self) -> None:
        """Give the descriptors of this handle back; the pane itself stays."""
        self.follow_no_more()
        super().close()

    def processes(self) -> list[ProcessInfo]:
        """Its first process and all below, parents before children."""
        first = process_info(self.pid) if not self.has_ended else None
        below = note_tree(self.pid, threads=0).processes.values() if first else ()
        return [first, *below] if first else []

    def health(self) -> Health:
        """Whether it is there and its program alive; never raises for its end."""
        return health.of_pane(self)

    def follow(self, timeout: float | None = None) -> LineStream:
        """The lines that it prints from now on, echo and prompts among them.

        Each within *timeout* seconds; None for the default.

        Raises:
            PaneNotReady: It has a pipe already.
            PaneDied: Its program has ended, or it is gone.
        """
        self.timeout(timeout)
        stream = LineStream(self, timeout)
        self._streams.append(stream)
        return stream

    def follow_no_more(self) -> None:
        """Close what `follow` has given."""
        while self._streams:
            self._streams.pop().close()

    def signal(self, number: int) -> None:
        """Send a signal to its first process, and to no other.

        Raises:
            PaneDied: It has ended.
            TmuxLifeError: There is no such signal.
        """
        exits.send(self, number)

    def resize(self, columns: int, rows: int) -> None:
        """Give it another size; on return its terminal has that.

        Alone in its window it sizes that, whose ``window-size`` is ``manual`` from
        then on. What the screen shows then counts as new for waits.

        Raises:
            TmuxLifeError: A size that cannot be, or not beside the other panes.
        """
        with self.lock:
            size.resize(self, columns, rows)

    def wait_for_exit(self, timeout: float | None = None) -> ExitStatus:
        """Wait until its first process has ended, and return how.

        What it has started may go on. Before Linux 6.15 the pane remains for as
        long as this waits, if its option remain-on-exit says otherwise.

        Raises:
            WaitTimeout: It runs on; shows the screen.
            TmuxLifeError: It ended before the call, and nobody knows how.

        Source: linux/pidfd.h, PIDFD_GET_INFO; tmux(1), remain-on-exit.
        """
        return exits.wait_for_exit(self, timeout)

    def wait_gone(self, timeout: float | None = None) -> None:
        """Wait until tmux has no such pane any more, and its first process ended.

        Raises:
            WaitTimeout: One of them is still there; says which.
        """
        exits.wait_gone(self, timeout)

    def run(
        self,
        command: str,
        timeout: float | None = None,
        check: bool = False,
        exact: bool = False,
    ) -> CommandResult:
        """Type *command* at the program's prompt and return once it has ended.

        Lines are typed one after another, each once the program asks for it. It
        has ended when the program reports the next prompt or, where it reports
        none, shows it. Meanwhile other threads can send to it, as C-c.

        Args:
            command: One command or more, of one line or more.
            timeout: Seconds, more than 0; None for the default.
            check: Raise if the exit status is not 0.
            exact: Give the program's own bytes, not what the terminal shows of them.

        Raises:
            PaneNotReady: The pane is not at its prompt, nor a second later; no
                prompt of its program is known; the command is incomplete; or
                somebody else had typed there. The last two cancel the line.
                With *exact*: it has a pipe already. Or the command was carried
                out, and its status or output cannot be told: see `state`.
            TmuxLifeError: The command holds what cannot be typed. With *check*: its
                program has no exit statuses. With *exact*: its program is none of
                the shells that allow it.
            CommandTimeout: It did not end in time, and goes on; has the output so far.
            CommandFailed: With *check*: its status was not 0.
            PaneDied: The program ended.
        """
        with self.running:
            seconds = self.timeout(timeout, may_be_zero=False)
            return run_in(self, command, seconds, exact=exact).carry_out(check)
