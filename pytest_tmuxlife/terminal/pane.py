"""A pane: type into it, wait for what it shows, run commands in it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from pytest_tmuxlife.containment import kernel, own
from pytest_tmuxlife.containment.processes import (
    ProcessInfo,
    note_tree,
    process_info,
)
from pytest_tmuxlife.terminal import exits, health, keys, size, tty
from pytest_tmuxlife.terminal.channel import PromptChannel
from pytest_tmuxlife.terminal.client import Client
from pytest_tmuxlife.terminal.command import CommandResult
from pytest_tmuxlife.terminal.differences import NO_PID
from pytest_tmuxlife.terminal.events import bytes_read
from pytest_tmuxlife.terminal.exits import ExitStatus
from pytest_tmuxlife.terminal.health import Health
from pytest_tmuxlife.terminal.inotify import TerminalWatch
from pytest_tmuxlife.terminal.programs import Launch
from pytest_tmuxlife.terminal.runner import run_in
from pytest_tmuxlife.terminal.screen import Camera, Screen
from pytest_tmuxlife.terminal.stream import LineStream
from pytest_tmuxlife.terminal.typing import Typist
from pytest_tmuxlife.terminal.waits import Scope, Waits

_Found = TypeVar("_Found")


class Pane:
    """One pane of a tmux server. Made by `Server` and `Session`.

    Attributes:
        id: As tmux names it, ``%3``; never reused by a server.
        pid: Of its first process; 0 of one that had ended before, and of which tmux
            (3.8) does not tell it any more.
        terminal: Path of its terminal.
        program: Name of the program that was started in it.
        server_pid: Of the tmux server.
        launch: How its program was started.
        watch: Of its terminal, for waits.
        waits: What the waits below are made of.
        timeout_scale: Multiplies every time limit.
        clean_since: What `server_has_read` gave when its prompt was last seen
            with nothing behind it.
    """

    def __init__(
        self,
        client: Client,
        *,
        timeout: float,
        id: str,
        pid: int,
        terminal: str,
        server_pid: int,
        launch: Launch | None = None,
        channel: PromptChannel | None = None,
    ) -> None:
        self.id = id
        self.pid = pid
        self.terminal = terminal
        self.program = launch.name if launch else "unknown program"
        self.camera = Camera(client, id, self.program)
        self._timeout = timeout
        self.timeout_scale = client.timeout_scale
        self.server_pid = server_pid
        self.launch = launch or Launch((), {}, self.program)
        pidfd = None if pid == NO_PID else kernel.open_pidfd(pid)
        self._pidfd = -1 if pidfd is None else own.claim(pidfd)
        self._lock = threading.RLock()
        self.watch = TerminalWatch(terminal)
        self.clean_since = b""
        self.channel = channel
        self.typist = Typist(client, id, terminal, self.camera)
        self.waits = Waits(self)
        self._streams: list[LineStream] = []

    def __repr__(self) -> str:
        state = "ended" if self.has_ended else "alive"
        return f"<Pane {self.id} {self.program!r} pid {self.pid} {state}>"

    def close(self) -> None:
        """Give the descriptors of this handle back; the pane itself stays."""
        self.follow_no_more()
        self.watch.end()
        if self._pidfd >= 0:
            own.close(self._pidfd)
            self._pidfd = -1
        if self.channel is not None:
            self.channel.close()

    @property
    def has_ended(self) -> bool:
        """Its first process has exited."""
        return self.ends_within(0.0)

    def ends_within(self, seconds: float) -> bool:
        """Its first process exits in that time, or has."""
        return self._pidfd < 0 or kernel.has_exited(self._pidfd, seconds)

    @property
    def pidfd(self) -> int:
        """Of its first process; -1 once the handle is closed."""
        return self._pidfd

    def timeout(self, seconds: float | None) -> float:
        """The limit that holds for a call that was given *seconds*."""
        limit = self._timeout if seconds is None else seconds
        return limit * self.timeout_scale

    def processes(self) -> list[ProcessInfo]:
        """Its first process and all below, parents before children."""
        first = process_info(self.pid) if not self.has_ended else None
        below = note_tree(self.pid, threads=0).processes.values() if first else ()
        return [first, *below] if first else []

    def health(self) -> Health:
        """Whether it is there and its program alive; never raises for its end."""
        return health.of_pane(self)

    def screen(self) -> Screen:
        """What it shows now.

        Raises:
            PaneDied: The pane is gone.
        """
        return self.camera.screen().screen

    def history(self) -> str:
        """All that it has kept, wrapped lines joined, without trailing blanks.

        Raises:
            PaneDied: The pane is gone.
        """
        lines = [line.rstrip() for line in self.camera.everything().lines]
        return "\n".join(lines).rstrip("\n")

    def follow(self, timeout: float | None = None) -> LineStream:
        """The lines that it prints from now on, echo and prompts among them.

        Each within *timeout* seconds. Raises PaneNotReady if it has a pipe already.
        """
        stream = LineStream(self, timeout)
        self._streams.append(stream)
        return stream

    def follow_no_more(self) -> None:
        """Close what `follow` has given."""
        while self._streams:
            self._streams.pop().close()

    # -- sending -----------------------------------------------------------

    def send_text(self, text: str) -> None:
        """Type *text* as it is; a line feed in it is typed as one.

        Raises:
            TmuxLifeError: It holds a NUL, or a line too long for a cooked
                terminal; nothing was sent.
            PaneDied: The program has ended.
            PaneNotReady: The pane is in copy mode.
        """
        with self._lock:
            self._check_alive()
            self.typist.type(text, quote=self.edits_lines, enter=False)

    def send_line(self, text: str) -> None:
        """Type *text* and Enter. Errors as for `send_text`."""
        with self._lock:
            self._check_alive()
            noting = self.waits.note_prompt_owed()
            self.typist.type(text, quote=self.edits_lines, enter=True, noting=noting)

    def paste(self, text: str) -> None:
        """Paste *text* as one piece, through a tmux buffer that is deleted again.

        In brackets, if the program has asked for bracketed paste. Errors as for
        `send_text`.

        Source: tmux(1), paste-buffer.
        """
        with self._lock:
            self._check_alive()
            if text:
                noting = "\n" in text and self.waits.note_prompt_owed()
                self.typist.paste(text, quote=self.edits_lines, noting=noting)

    def interrupt(self) -> None:
        """Press ``C-c``: what is in the foreground gets SIGINT, or the key."""
        self.send_key("C-c")

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
        with self._lock:
            size.resize(self, columns, rows)

    def send_key(self, *names: str) -> None:
        """Press keys, by tmux's names: ``Enter``, ``C-c``, ``Up``, ``F5``, ``x``.

        Raises:
            TmuxLifeError: There is no key of that name; nothing was sent.
            PaneDied: The program has ended.
            PaneNotReady: The pane is in copy mode.
        """
        for name in names:
            keys.check_key(name)
        with self._lock:
            self._check_alive()
            ends_line = not keys.LINE_ENDING_KEYS.isdisjoint(names)
            typed = not keys.ENTER_KEYS.isdisjoint(names)
            noting = ends_line and self.waits.note_prompt_owed(typed=typed)
            self.typist.press(names, noting=noting)

    @property
    def edits_lines(self) -> bool:
        """Input goes to a line editor that we know, or to a cooked terminal."""
        modes = tty.modes(self.terminal)
        if modes is not None and modes.canonical:
            return True
        return self.launch.edits_lines and self.shell_is_in_foreground

    def _check_alive(self) -> None:
        if self.has_ended:
            raise exits.died(self)

    # -- waiting -----------------------------------------------------------

    def wait_for_text(
        self,
        pattern: str | re.Pattern[str],
        timeout: float | None = None,
        scope: Scope = "screen",
    ) -> re.Match[str]:
        """Wait until the pane shows *pattern*, and return the match.

        Args:
            pattern: Text as it is, or a compiled regular expression, which is
                searched for in the rows joined by line feeds.
            timeout: Seconds; None for the default.
            scope: ``screen``: what came since the last send, without its
                echo; before any send all that there is, and of the alternate
                screen of full-screen programs always. ``line``: the cursor's
                line. ``history``: all that the pane has kept, echo included.

        After keys that recall or edit a line (``Up``, ``C-a``) its echo is not
        known as such: wait for what the line does not hold.

        Raises:
            WaitTimeout: It did not come; shows the screen.
            PaneDied: The program ended before it came.
        """
        return self.waits.for_text(pattern, timeout, scope)

    def wait_for_prompt(self, timeout: float | None = None) -> None:
        """Wait until the program shows its prompt and reads from it.

        Raises:
            PaneNotReady: The program has no prompt that is known; or only keys
                can lead to it, from a mode of tmux or an incomplete input.
            WaitTimeout: It did not come back; shows the screen.
            PaneDied: The program ended.
        """
        self.waits.for_prompt(timeout)

    def wait_for_any(
        self,
        patterns: Sequence[object],
        timeout: float | None = None,
        scope: Scope = "screen",
    ) -> int:
        """Wait until one of *patterns* shows, and return its index.

        If several show, the one nearest to the beginning counts, and of those at
        one place the first in the list, as in ``pexpect.spawn.expect``. Nothing is
        consumed: the next wait looks at the same text until something is sent.

        *patterns* are texts as they are, compiled regular expressions,
        ``pexpect.EOF`` for the end of the program or of the pane, and
        ``pexpect.TIMEOUT``. All else is as for `wait_for_text`.
        """
        return self.waits.for_any(patterns, timeout, scope)

    def wait_until_idle(self, quiet: float = 0.5, timeout: float | None = None) -> None:
        """Wait until for *quiet* seconds nothing was printed, nor the screen changed.

        A program that thinks for longer than that looks idle too: where it says
        that it has finished, wait for that.

        Raises:
            WaitTimeout: It never was; shows the screen.
            PaneDied: The program ended.
        """
        self.waits.until_idle(quiet, timeout)

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

    def wait_until(
        self,
        look: Callable[[], _Found | None],
        timeout: float | None,
        what: str,
    ) -> _Found:
        """Call *look* whenever the pane may have changed, until it gives something.

        Raises:
            WaitTimeout: It gave None until the end; *what* names it.
            PaneDied: The program ended, and a last look gave None too.
        """
        return self.waits.until(look, timeout, what)

    @property
    def shell_is_in_foreground(self) -> bool:
        """The pane's first process is what reads the terminal."""
        return tty.foreground(self.pid) == self.pid

    def is_at_prompt(self) -> bool:
        """The program shows its prompt, has it to itself, and nothing is unread.

        What a job in the background prints behind a shell's prompt changes
        nothing; what was typed there does. Raises PaneDied if the pane is gone.
        """
        return self.waits.is_at_prompt()

    def server_has_read(self) -> bytes:
        """Changes when the tmux server has read output of any pane."""
        return bytes_read(self.server_pid)

    def run(
        self, command: str, timeout: float | None = None, check: bool = False
    ) -> CommandResult:
        """Type *command* at the program's prompt and return once it has ended.

        Lines are typed one after another, each once the program asks for it. It
        has ended when the program reports the next prompt or, where it reports
        none, shows it.

        Args:
            command: One command or more, of one line or more.
            timeout: Seconds; None for the default.
            check: Raise if the exit status is not 0.

        Raises:
            PaneNotReady: The pane is not at its prompt, nor a second later;
                no prompt of its program is known; the command is incomplete;
                or somebody else had typed there. The last two cancel the line.
            TmuxLifeError: With *check*: its program has no exit statuses.
            CommandTimeout: It did not end in time; has the output so far.
            CommandFailed: With *check*: its status was not 0.
            PaneDied: The program ended.
        """
        with self._lock:
            return run_in(self, command, self.timeout(timeout)).carry_out(check)
