"""The two sides of a talk with a pane: typing into it, waiting for what it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeVar, get_args

from pytest_tmuxlife import arguments
from pytest_tmuxlife.errors import ServerNotRunning, TmuxLifeError
from pytest_tmuxlife.terminal.dialogue import at_prompt, exits, sending
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.dialogue.waits import Scope, Waits
from pytest_tmuxlife.terminal.tmux import differences
from pytest_tmuxlife.terminal.typing import keys

_Found = TypeVar("_Found")


class Dialogue(PaneHandle):
    """A pane that can be typed into and waited for."""

    @cached_property
    def waits(self) -> Waits:
        """What the waits below are made of."""
        return Waits(self)

    # -- sending -----------------------------------------------------------

    def send_text(self, text: str) -> None:
        """Type *text* as it is; a line feed in it is typed as one.

        Raises:
            TmuxLifeError: It is no text, or holds what cannot arrive (see the page on
                typing); says what, and nothing was sent.
            PaneDied: The program has ended.
            PaneNotReady: The pane is in copy mode.
        """
        arguments.text("text", text)
        with self.lock:
            self._check_alive()
            sending.send(self, text, enter=False)

    def send_line(self, text: str) -> None:
        """Type *text* and Enter. Errors as for `send_text`."""
        arguments.text("text", text)
        with self.lock:
            self._check_alive()
            sending.send(self, text, enter=True)

    def paste(self, text: str) -> None:
        """Paste *text* as one piece, through a tmux buffer that is deleted again.

        In brackets, if the program has asked for bracketed paste; not at the prompt
        of a preset, which gets it as if it were typed. Errors as for `send_text`.

        Source: tmux(1), paste-buffer.
        """
        arguments.text("text", text)
        with self.lock:
            self._check_alive()
            sending.paste(self, text)

    def interrupt(self) -> None:
        """Press ``C-c``: what is in the foreground gets SIGINT, or the key."""
        self.send_key("C-c")

    def send_key(self, *names: str) -> None:
        """Press keys, by tmux's names: ``Enter``, ``C-c``, ``Up``, ``F5``, ``x``.

        Raises:
            TmuxLifeError: There is no key of that name, or no code for it in this
                tmux (as for ``S-Tab`` before 3.5); nothing was sent.
            PaneDied: The program has ended.
            PaneNotReady: The pane is in copy mode.
        """
        for name in names:
            keys.check_key(name)
        with self.lock:
            self._check_alive()
            self._check_codes(names)
            sending.press(self, names)

    def _check_codes(self, names: Sequence[str]) -> None:
        """There is a code for each key: the name of another tmux types as text."""
        odd = [key for key in names if differences.lacks_code(*keys.parts_of(key))]
        if not odd:
            return
        question = ("display-message", "-p", "-t", self.id, differences.KEY_QUESTION)
        answer = self.camera.ask(*question)
        for key in odd:
            if differences.is_typed_as_text(*keys.parts_of(key), answer):
                raise TmuxLifeError(
                    f"a terminal has no code for the key {key!r}, and tmux "
                    f"{answer.split()[0]} would type its name; with the tmux option "
                    "extended-keys programs can ask for one",
                    key=key,
                )

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
                searched for in the rows joined by line feeds, with none behind the
                last. An empty prompt of a preset is no row of it.
            timeout: Seconds, 0 for one look; None for the default.
            scope: ``screen``: what came since the last send, without its
                echo; before any send all that there is, and of the alternate
                screen of full-screen programs always. ``line``: the cursor's
                row, what is typed there included. ``history``: all that the
                pane has kept, echo included, without trailing blanks.

        After keys that recall or edit a line (``Up``, ``C-a``) its echo is not
        known as such: wait for what the line does not hold.

        Of more than 2000 rows the last 100 are looked at each time, all of them once
        nothing new comes, and before that for a fiftieth of the time: a match there
        can be another than the first.

        Raises:
            WaitTimeout: It did not come; shows the screen.
            PaneDied: The program ended before it came.
        """
        arguments.one_of("scope", scope, get_args(Scope))
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
        arguments.one_of("scope", scope, get_args(Scope))
        return self.waits.for_any(patterns, timeout, scope)

    def wait_until_idle(self, quiet: float = 0.5, timeout: float | None = None) -> None:
        """Wait until for *quiet* seconds nothing was printed, nor the screen changed.

        A program that thinks for longer than that looks idle too: where it says
        that it has finished, wait for that.

        Raises:
            WaitTimeout: It never was; shows the screen.
            PaneDied: The program ended.
        """
        arguments.seconds("quiet", quiet, may_be_zero=False)
        self.waits.until_idle(quiet, timeout)

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
        if not callable(look):
            raise arguments.refused("look", look, "a function without arguments")
        return self.waits.until(look, timeout, arguments.text("what", what))

    def is_at_prompt(self) -> bool:
        """The program shows its prompt, has it to itself, and nothing is unread.

        What a job in the background prints behind a shell's prompt changes
        nothing; what was typed there does, and where keys were pressed the one is
        not told from the other.

        Raises:
            PaneDied: The program ended, or the pane is gone.
        """
        try:
            if at_prompt.is_at_prompt(self):
                return True
            # Its program can outlive it.
            self.camera.screen()
        except ServerNotRunning as error:
            # It goes with its last pane, a moment before the program has exited.
            if error.timeout or not self.ends_within(exits.ENDING):
                raise
        self._check_alive()
        return False
