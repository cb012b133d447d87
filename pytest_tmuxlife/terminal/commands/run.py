"""One `Pane.run`, whatever tells that the command has ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import (
    CommandFailed,
    CommandTimeout,
    PaneDied,
    PaneNotReady,
    ServerNotRunning,
    TmuxLifeError,
)
from pytest_tmuxlife.terminal.dialogue import readiness
from pytest_tmuxlife.terminal.dialogue.dialogue import Dialogue
from pytest_tmuxlife.terminal.dialogue.exits import ENDING, died
from pytest_tmuxlife.terminal.sight.command import CommandResult
from pytest_tmuxlife.terminal.sight.echo import squash
from pytest_tmuxlife.terminal.tmux.client import limited_by
from pytest_tmuxlife.terminal.typing import keys, tty

# After a wait for the last words of a command the prompt is on its way.
ON_ITS_WAY = 1.0
PROMPT_LIMIT = 5.0
_SHOWN_OUTPUT = 2000
_NOT_SHOWN = "not shown as it was typed"
_WHY_NOT = (
    "the terminal does not echo after stty -echo; with TERM=dumb, or "
    "horizontal-scroll-mode, a long line is scrolled sideways; and some characters "
    "the terminal or the locale cannot show"
)


class Run(ABC):
    """A command on its way: typed, waited for, and its output cut out.

    Args:
        pane: Where.
        command: One line or more.
        timeout: Seconds.

    Raises:
        TmuxLifeError: The command's echo could not be recognised.
    """

    def __init__(self, pane: Dialogue, command: str, timeout: float) -> None:
        self.pane = pane
        self.command = keys.check_command(command, controls=pane.launch.echoes_controls)
        self.deadline = Deadline(timeout)

    @property
    @abstractmethod
    def has_status(self) -> bool:
        """The program tells how a command ended."""

    @abstractmethod
    def _carry_out(self) -> CommandResult: ...

    def carry_out(self, check: bool) -> CommandResult:
        """Type it, wait for its end, and cut its output out."""
        if check and not self.has_status:
            raise TmuxLifeError(
                f"check=True needs an exit status, and {self.pane.program} in pane "
                f"{self.pane.id} has none",
                pane=self.pane.id,
            )
        with limited_by(self.deadline):
            try:
                result = self._carry_out()
            except ServerNotRunning as error:
                if error.timeout and self.deadline.expired:
                    raise self._unanswered(error) from None
                # It goes with its last pane, a moment before the program has exited.
                if error.timeout or not self.pane.ends_within(ENDING):
                    raise
                raise died(self.pane) from None
        if check and result.exit_code:
            raise CommandFailed(
                f"{self.command!r} ended with status {result.exit_code} on pane "
                f"{self.pane.id} after {result.duration:.1f} s"
                f"{_indented(result.output)}",
                command=self.command,
                exit_code=result.exit_code,
                output=result.output,
            )
        return result

    def _within(self, seconds: float) -> float:
        """So many seconds, or what is left, before the pane scales it."""
        return min(seconds, self.deadline.remaining / self.pane.timeout_scale)

    def _incomplete(self) -> PaneNotReady:
        screen = self.pane.screen()
        what = self._give_up(self.pane.launch.cancel)
        return PaneNotReady(
            f"{self.command!r} is incomplete: {self.pane.program} asks for the rest "
            f"of it (an open quote or bracket?); it {what}\n{screen.describe()}",
            pane=self.pane.id,
            state=readiness.CONTINUATION,
        )

    def _give_up(self, keys: Sequence[str]) -> str:
        """Have the program forget an incomplete input; says what came of it."""
        if not keys:
            return "still does"
        pressed = ", ".join(keys)
        try:
            self.pane.send_key(*keys)
            self.pane.wait_for_prompt(PROMPT_LIMIT)
        except (PaneDied, ServerNotRunning):
            if not self.pane.ends_within(ENDING):
                raise
            return (
                f"ended when {pressed} was pressed to cancel that; if it has other "
                "keys for it, name them: Program(cancel=[...]), or [] for none"
            )
        return f"was cancelled with {pressed}"

    def _refused(self) -> PaneNotReady:
        screen = self.pane.screen()
        cancel = self.pane.launch.cancel
        self.pane.send_key(*cancel)
        self.pane.wait_for_prompt(PROMPT_LIMIT)
        return PaneNotReady(
            f"{self.command!r} was refused by {self.pane.program} (a syntax error?), "
            f"and taken out of its line with {', '.join(cancel)}\n{screen.describe()}",
            pane=self.pane.id,
            state=readiness.REFUSED,
        )

    def _not_seen(self, behind: str = "") -> PaneNotReady:
        """The error if the echo is not there; *behind* the prompt stands this."""
        screen = self.pane.screen()
        if squash(self.command.split("\n")[0]) in squash(behind):
            state = what = "something else was typed, or the cursor was moved"
        else:
            state, what = _NOT_SHOWN, f"it is {_NOT_SHOWN} ({_WHY_NOT})"
        return PaneNotReady(
            f"{self.command!r} was sent to pane {self.pane.id}, but it is not seen at "
            f"its prompt: {what}; so status and output cannot be told apart\n"
            f"{screen.describe()}",
            pane=self.pane.id,
            state=state,
        )

    def _timed_out(self, hint: str = "") -> CommandTimeout:
        lines = self.pane.typist.fresh_lines(self.pane.launch.pattern)
        screen = self.pane.screen()
        return CommandTimeout(
            f"{self.command!r} did not end within {self.deadline.timeout:g} s on pane "
            f"{self.pane.id} (foreground: {tty.foreground_name(self.pane.pid)}; it "
            f"goes on: stop it with send_key('C-c'){hint})\n{screen.describe()}",
            command=self.command,
            timeout=self.deadline.timeout,
            output="\n".join(lines),
            screen=screen,
        )

    def _unanswered(self, error: ServerNotRunning) -> CommandTimeout:
        return CommandTimeout(
            f"{self.command!r} on pane {self.pane.id}: {error} (is it stopped? its pid "
            f"is {self.pane.server_pid}); whether it was typed, and has ended, is not "
            "known",
            command=self.command,
            timeout=self.deadline.timeout,
            output="",
            screen=None,
        )


def _indented(output: str) -> str:
    shown = output[-_SHOWN_OUTPUT:].rstrip("\n")
    if not shown:
        return ""
    return "\n  output:\n" + "\n".join("    " + line for line in shown.split("\n"))
