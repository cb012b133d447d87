"""Waiting on a pane: looks at it whenever it may have changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import (
    PaneDied,
    PaneNotReady,
    ServerNotRunning,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.terminal.dialogue import at_prompt, readiness
from pytest_tmuxlife.terminal.dialogue.choice import Choice
from pytest_tmuxlife.terminal.dialogue.events import PaneEvents
from pytest_tmuxlife.terminal.dialogue.exits import ENDING, died, is_replaced
from pytest_tmuxlife.terminal.dialogue.fresh import FreshText
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.dialogue.inotify import Writes
from pytest_tmuxlife.terminal.dialogue.timeouts import timed_out, unanswered
from pytest_tmuxlife.terminal.sight.screen import Grid
from pytest_tmuxlife.terminal.sight.width import width
from pytest_tmuxlife.terminal.tmux.client import limited_by

Scope = Literal["screen", "line", "history"]
_Found = TypeVar("_Found")


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
            if at_prompt.is_at_prompt(pane):
                return True
            error = lasting.look()
            if error is not None:
                raise error
            return None

        try:
            self.until(look, timeout, "prompt", lambda: pane.arrival.next_look)
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
            return self._pane.camera.screen().dead or is_replaced(self._pane)
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
        grid = self._pane.camera.screen()
        line = grid.cursor_line
        # tmux leaves the blanks at its end out: a question ends with one.
        return line + " " * (grid.cursor_x - width(line))
