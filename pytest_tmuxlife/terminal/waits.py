"""Waiting on a pane: looks at it whenever it may have changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from pytest_tmuxlife.clock import Deadline, holds_within
from pytest_tmuxlife.errors import (
    PaneDied,
    PaneNotReady,
    ServerNotRunning,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.terminal import readiness, tty
from pytest_tmuxlife.terminal.choice import Choice
from pytest_tmuxlife.terminal.client import limited_by
from pytest_tmuxlife.terminal.command import behind_prompt
from pytest_tmuxlife.terminal.events import PaneEvents
from pytest_tmuxlife.terminal.exits import ENDING, died
from pytest_tmuxlife.terminal.fresh import FreshText
from pytest_tmuxlife.terminal.handle import PaneHandle
from pytest_tmuxlife.terminal.inotify import Writes
from pytest_tmuxlife.terminal.screen import Grid
from pytest_tmuxlife.terminal.timeouts import timed_out, unanswered

Scope = Literal["screen", "line", "history"]
_Found = TypeVar("_Found")
# What a program needs from its prompt to a sleep in read(2), and more.
_AWAKE = 0.02


def compiled(pattern: object) -> tuple[re.Pattern[str], str]:
    """What to search for, and how to show it.

    Raises:
        TmuxLifeError: It is neither text nor a compiled pattern of text.
    """
    if isinstance(pattern, str):
        return re.compile(re.escape(pattern)), pattern
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return pattern, pattern.pattern
    raise TmuxLifeError(
        f"pattern {pattern!r}: expected text or a compiled pattern of text"
    )


class Waits:
    """The waits of one pane."""

    def __init__(self, pane: PaneHandle) -> None:
        self._pane = pane

    def for_text(
        self, pattern: str | re.Pattern[str], timeout: float | None, scope: Scope
    ) -> re.Match[str]:
        """See `Pane.wait_for_text`."""
        search, shown = compiled(pattern)
        found = self._shown(search.search, timeout, f"text {shown!r}", scope)
        self._pane.typist.settle(at_prompt=False)
        return found

    def for_any(
        self, patterns: Sequence[object], timeout: float | None, scope: Scope
    ) -> int:
        """See `Pane.wait_for_any`."""
        choice = Choice(patterns)
        what = f"any of {choice}"
        try:
            found = self._shown(
                choice.first_in, timeout, what, scope, is_first_asked=True
            )
        except (PaneDied, ServerNotRunning) as error:
            is_silent = isinstance(error, ServerNotRunning) and error.timeout > 0
            if choice.at_end is None or is_silent:
                raise
            return choice.at_end
        except WaitTimeout:
            if choice.at_timeout is None:
                raise
            return choice.at_timeout
        self._pane.typist.settle(at_prompt=False)
        return found

    def until_idle(self, quiet: float, timeout: float | None) -> None:
        """See `Pane.wait_until_idle`."""
        pane = self._pane
        if not quiet > 0:
            raise TmuxLifeError(f"quiet={quiet!r}: must be more than 0 seconds")
        still = Deadline(quiet)
        last: Grid | None = None

        def look() -> bool | None:
            nonlocal last, still
            # In this order: what is written after the question is seen next time.
            has_come = writes.have_come()
            grid = pane.camera.screen()
            if has_come or grid != last:
                last, still = grid, Deadline(quiet)
            return still.expired or None

        what = f"quiet of {quiet:g} s"
        with Writes(pane.terminal) as writes:
            self.until(look, timeout, what, wake=lambda: still)

    def for_prompt(self, timeout: float | None) -> None:
        """See `Pane.wait_for_prompt`."""
        pane = self._pane
        if pane.channel is None and pane.launch.prompt is None:
            raise PaneNotReady(
                f"no prompt is known of {pane.program} in pane {pane.id}; start it "
                "as Program(argv, prompt=...)",
                pane=pane.id,
                state="unknown prompt",
            )
        lasting = readiness.LastingState(pane)

        def look() -> bool | None:
            if self.is_at_prompt():
                return True
            error = lasting.look()
            if error is not None:
                raise error
            return None

        try:
            self.until(look, timeout, "prompt")
        except WaitTimeout as error:
            refusal = (
                readiness.lasting(pane, pane.camera.screen()) if error.screen else None
            )
            raise refusal or error from None
        pane.typist.settle(at_prompt=True)
        pane.note_reader()

    def until(
        self,
        look: Callable[[], _Found | None],
        timeout: float | None,
        what: str,
        wake: Callable[[], Deadline | None] | None = None,
    ) -> _Found:
        """See `Pane.wait_until`; looks at the deadline that *wake* gives too."""
        pane = self._pane
        deadline = Deadline(pane.timeout(timeout))
        with limited_by(deadline):
            try:
                return self._look_until(look, deadline, what, wake)
            except ServerNotRunning as error:
                if not (error.timeout and deadline.expired):
                    raise
                raise unanswered(pane, what, deadline, error) from None

    def _look_until(
        self,
        look: Callable[[], _Found | None],
        deadline: Deadline,
        what: str,
        wake: Callable[[], Deadline | None] | None,
    ) -> _Found:
        pane = self._pane
        channel = pane.channel.fd if pane.channel is not None else -1
        with PaneEvents(pane.watch, pane.pidfd, channel, pane.server_pid) as events:
            while True:
                # What it printed last is there once tmux knows that it ended.
                ended = pane.has_ended
                seen_by_tmux = ended and self._end_is_seen()
                try:
                    found = look()
                except (PaneDied, ServerNotRunning) as error:
                    # A pane goes when its terminal is closed, the server with
                    # its last pane: a moment before the process has exited.
                    if getattr(error, "timeout", 0) or not pane.ends_within(ENDING):
                        raise
                    raise died(pane) from None
                if found is not None:
                    return found
                if ended and seen_by_tmux:
                    raise died(pane)
                if deadline.expired:
                    raise timed_out(pane, what, deadline)
                next_look = deadline
                other = wake() if wake is not None else None
                if other is not None and other.at < deadline.at:
                    next_look = other
                events.wait(next_look)

    def _end_is_seen(self) -> bool:
        """All that the ended program has printed has been read by tmux."""
        try:
            return self._pane.camera.screen().dead
        except (PaneDied, ServerNotRunning):
            return True

    def _shown(
        self,
        search: Callable[[str], _Found | None],
        timeout: float | None,
        what: str,
        scope: Scope,
        *,
        is_first_asked: bool = False,
    ) -> _Found:
        """Wait until *search* finds something in what the pane shows."""
        views = {"line": self._cursor_line, "history": self._pane.history}
        if scope in views:
            view = views[scope]
            return self.until(lambda: search(view()), timeout, what)
        if scope != "screen":
            raise TmuxLifeError(
                f"scope {scope!r} is none of screen, {', '.join(views)}", scope=scope
            )
        fresh = FreshText(self._pane)

        def look() -> _Found | None:
            return fresh.find(search, is_first_asked=is_first_asked)

        try:
            return self.until(look, timeout, what, wake=lambda: fresh.next_look)
        except (PaneDied, WaitTimeout):
            found = self._found_at_last(fresh, search)
            if found is None:
                raise
            return found

    def _found_at_last(
        self, fresh: FreshText, search: Callable[[str], _Found | None]
    ) -> _Found | None:
        """What a look at all of it finds, if the last one was not."""
        if not fresh.is_owed:
            return None
        try:
            return fresh.find_in_all(search)
        except (PaneDied, ServerNotRunning):
            return None

    def visible_text(self) -> str:
        """What the screen shows, without the echo of the last send."""
        pane = self._pane
        with pane.lock:
            return "\n".join(pane.typist.visible_lines(pane.launch.pattern))

    def _cursor_line(self) -> str:
        return self._pane.camera.screen().cursor_line

    def note_prompt_owed(self, *, typed: bool = True) -> bool:
        """A line is about to end; True if the screen before is to be noted.

        Args:
            typed: By a text or Enter, not by a signal such as that of C-c.
        """
        pane, typist = self._pane, self._pane.typist
        if pane.channel is None:
            if typed and pane.launch.prompt is not None:
                typist.has_typed_ahead = not self.is_at_prompt()
            return pane.launch.prompt is not None
        number = pane.channel.drain().number
        if number > typist.owed_after:
            typist.due = number + 1
        elif typed:
            typist.has_typed_ahead = True
            typist.due += 1
        typist.owed_after = number
        pane.channel.asks_for_rest = pane.channel.refuses = False
        # Until something shows, a continuation prompt is the one before C-c.
        return not typed

    def _sleeps(self) -> bool:
        """The program is not about to show a line that it has just read."""
        return holds_within(_AWAKE, lambda: self._pane.is_asleep)

    def is_at_prompt(self) -> bool:
        """See `Pane.is_at_prompt`."""
        pane = self._pane
        if pane.channel is not None:
            record = pane.channel.drain()
            if record.number <= pane.typist.owed_after:
                return False
        if not pane.shell_is_in_foreground:
            return False
        if pane.typist.has_typed_ahead and not self._sleeps():
            return False
        modes = tty.modes(pane.terminal)
        if modes is None or modes.unread:
            return False
        # Before the look: what comes between the two is not missed so.
        is_seen = self._open_line_is_seen(modes)
        prompt = pane.launch.house_prompt
        if pane.channel is None or prompt is None:
            grid = pane.camera.screen()
            return not grid.mode and self._cursor_is_behind_prompt(grid, is_seen)
        # Behind output without a final newline the prompt may take two rows.
        grid = pane.camera.joined_screen()
        if grid.mode:
            return False
        behind = behind_prompt(grid.lines, prompt, pane.channel.last.number)
        if pane.typist.is_line_open:
            return is_seen and behind == ""
        if behind and pane.typist.has_typed_ahead:
            # A line that was typed ahead, or what it prints; unless the shell's
            # editor waits for more: its drawing can leave something there.
            reads = pane.launch.has_status and not modes.canonical
            return reads or pane.channel.last.number >= pane.typist.due
        return behind is not None

    def _cursor_is_behind_prompt(self, grid: Grid, is_seen: bool) -> bool:
        typist, prompt = self._pane.typist, self._pane.launch.prompt
        if prompt is None or typist.is_unanswered(grid):
            return False
        if prompt.search(grid.until_cursor) is None:
            return False
        sent = typist.sent
        return is_seen or sent is None or grid.cursor_row > sent.row

    def _open_line_is_seen(self, modes: tty.TerminalModes) -> bool:
        """What was typed is drawn: if it does not stand there, it is gone."""
        pane = self._pane
        if not pane.typist.is_line_open:
            return True
        if not modes.canonical and not pane.is_asleep:
            return False
        channel = pane.channel
        is_newer = channel is not None and channel.last.number > pane.arrival.prompt
        return is_newer or pane.arrival.is_seen(canonical=modes.canonical)
