"""A pane as the parts of its face know it: what it is, and what it shows."""

from __future__ import annotations

import threading

from pytest_tmuxlife import arguments
from pytest_tmuxlife.containment import kernel, own, procfs
from pytest_tmuxlife.terminal.dialogue.inotify import TerminalWatch
from pytest_tmuxlife.terminal.programs.channel import PromptChannel
from pytest_tmuxlife.terminal.programs.program import Launch
from pytest_tmuxlife.terminal.sight.anchor import Anchors
from pytest_tmuxlife.terminal.sight.camera import Camera
from pytest_tmuxlife.terminal.sight.screen import Screen
from pytest_tmuxlife.terminal.tmux.client import Client
from pytest_tmuxlife.terminal.tmux.differences import NO_PID
from pytest_tmuxlife.terminal.typing import tty
from pytest_tmuxlife.terminal.typing.arrival import Arrival
from pytest_tmuxlife.terminal.typing.typist import Typist


class PaneHandle:
    """What all that is done with a pane is done through.

    Attributes:
        id: As tmux names it, ``%3``; never reused by a server.
        pid: Of its first process; 0 of one that had ended before, and of which tmux
            (3.8) does not tell it any more.
        terminal: Path of its terminal.
        program: Name of the program that was started in it.
        server_pid: Of the tmux server.
        launch: How its program was started.
        channel: By which the program reports its prompts; None without one.
        camera: Takes looks at it.
        typist: Types into it.
        arrival: Of what was typed, and not ended yet.
        watch: Of its terminal, for waits.
        lock: Held by whoever types, for one send.
        running: Held by whoever runs a command; others can type meanwhile.
        timeout_scale: Multiplies every time limit.
        reader: What its first process was called at its first prompt, or "".
        clean_since: What the server had read when its prompt was last seen with
            nothing behind it; 0 if something may stand there.
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
        self.lock = threading.RLock()
        self.running = threading.RLock()
        self.watch = TerminalWatch(terminal)
        self.reader = ""
        self.clean_since = 0
        self.channel = channel
        anchors = Anchors(self.launch.house_prompt, channel)
        self.typist = Typist(client, id, self.camera, anchors)
        self.arrival = Arrival(pid, server_pid)

    def __repr__(self) -> str:
        state = "ended" if self.has_ended else "alive"
        return f"<Pane {self.id} {self.program!r} pid {self.pid} {state}>"

    def close(self) -> None:
        """Give the descriptors of this handle back; the pane itself stays."""
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

    def timeout(self, seconds: float | None, *, may_be_zero: bool = True) -> float:
        """The limit that holds for a call that was given *seconds*.

        Raises:
            TmuxLifeError: They cannot be waited; see `arguments.seconds`.
        """
        limit = self._timeout
        if seconds is not None:
            limit = arguments.seconds("timeout", seconds, may_be_zero=may_be_zero)
        return limit * self.timeout_scale

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

    @property
    def shell_is_in_foreground(self) -> bool:
        """The pane's first process is what reads the terminal."""
        return tty.foreground(self.pid) == self.pid

    @property
    def is_asleep(self) -> bool:
        """Its first process waits for something, or has ended."""
        now = procfs.stat(self.pid)
        return now is None or now.state in "SZX"

    def note_reader(self) -> None:
        """It is at its prompt: by its name the program is known from now on."""
        if not self.reader:
            now = procfs.stat(self.pid)
            self.reader = now.comm if now is not None else ""

    @property
    def editor_has_terminal(self) -> bool:
        """What reads the terminal is a program that we know, with a line editor."""
        if not self.launch.edits_lines:
            return False
        now = procfs.stat(self.pid)
        if now is None or now.foreground_group != self.pid:
            return False
        # A program that replaces it, by exec, keeps the number.
        return now.comm == (self.reader or now.comm)
