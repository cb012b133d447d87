"""Carrying out one command at a shell's prompt: status, and exact output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import (
    CommandFailed,
    CommandTimeout,
    PaneDied,
    PaneNotReady,
    ServerNotRunning,
    WaitTimeout,
)
from pytest_tmuxlife.terminal import keys, tty
from pytest_tmuxlife.terminal.channel import PromptChannel, PromptRecord
from pytest_tmuxlife.terminal.client import limited_by
from pytest_tmuxlife.terminal.command import (
    CommandResult,
    behind_prompt,
    cut_output,
)
from pytest_tmuxlife.terminal.echo import Sent, squash
from pytest_tmuxlife.terminal.programs import ShellPrompt
from pytest_tmuxlife.terminal.screen import Grid

if TYPE_CHECKING:
    from pytest_tmuxlife.terminal.pane import Pane

# How long a silent shell is waited for before it is looked at: it may ask for
# the rest of an incomplete command.
_FIRST_LOOK = 0.05
# A continuation prompt for the next line comes at once.
_NEXT_LINE_LOOK = 0.001
_PROMPT_LIMIT = 5.0
# After a wait for the last words of a command the prompt is on its way.
_ON_ITS_WAY = 1.0
_SHOWN_OUTPUT = 2000


class CommandRun:
    """One `Pane.run`.

    Raises:
        PaneNotReady: The pane's program is no shell that reports its prompts.
    """

    def __init__(self, pane: Pane, command: str, timeout: float) -> None:
        launch = pane.launch
        if pane.channel is None or launch.shell_prompt is None:
            raise PaneNotReady(
                f"{pane.program} in pane {pane.id} does not report exit statuses; "
                "use send_line and wait_for_text, or start a preset (BASH, DASH)",
                pane=pane.id,
                state="no shell",
            )
        self.pane = pane
        self.channel: PromptChannel = pane.channel
        self.prompt: ShellPrompt = launch.shell_prompt
        self.command = keys.check_command(command)
        self.deadline = Deadline(timeout)

    def carry_out(self, check: bool) -> CommandResult:
        """Type it, wait for its end, and cut its output out."""
        with limited_by(self.deadline):
            try:
                return self._carry_out(check)
            except ServerNotRunning as error:
                if not (error.timeout and self.deadline.expired):
                    raise
                raise self._unanswered(error) from None

    def _carry_out(self, check: bool) -> CommandResult:
        self._require_prompt()
        first = self.channel.last.number
        lines = self.command.split("\n")
        start = self._type(lines[0])
        record = self._await_answer(first, is_last=len(lines) == 1)
        for number, line in enumerate(lines[1:], 2):
            if record is not None:
                # Typed before the prompt is drawn it would be echoed above it.
                self.pane.wait_until(
                    lambda: self.pane.is_at_prompt() or None, _PROMPT_LIMIT, "prompt"
                )
            before = self.channel.last.number
            self._type(line)
            record = self._await_answer(before, is_last=number == len(lines))
        duration = self.deadline.elapsed
        assert record is not None
        result = self._result(start, first, record, duration)
        self.pane.typist.settle(at_prompt=True)
        if check and result.exit_code != 0:
            raise CommandFailed(
                f"{self.command!r} ended with status {result.exit_code} on pane "
                f"{self.pane.id} after {duration:.1f} s"
                f"{_indented(result.output)}",
                command=self.command,
                exit_code=result.exit_code,
                output=result.output,
            )
        return result

    def _type(self, line: str) -> Sent:
        self.pane.typist.owed_after = self.channel.last.number
        return self.pane.typist.type(line, quote=True, enter=True)

    # -- the prompt before it ------------------------------------------------

    def _require_prompt(self) -> None:
        if self.pane.has_ended:
            raise self.pane.died()
        if self._is_untouched():
            return
        try:
            self.pane.wait_for_prompt(self._within(_ON_ITS_WAY))
            behind = self._behind_prompt(self.channel.last.number)
            if behind:
                self._fetch_clean_prompt(behind)
        except WaitTimeout:
            raise self._not_ready() from None

    def _is_untouched(self) -> bool:
        """Nothing was sent, and nothing printed, since we saw this very prompt."""
        number = self.channel.last.number
        return (
            self.channel.drain().number == number
            and number > self.pane.typist.owed_after
            and not self.pane.typist.is_pending
            and self.pane.clean_since != b""
            and self.pane.clean_since == self.pane.server_has_read()
            and self.pane.shell_is_in_foreground
        )

    def _within(self, seconds: float) -> float:
        """So many seconds, or what is left, before the pane scales it."""
        return min(seconds, self.deadline.remaining / self.pane.timeout_scale)

    def _behind_prompt(self, number: int) -> str | None:
        lines = self.pane.camera.joined_screen().lines
        return behind_prompt(lines, self.prompt, number)

    def _fetch_clean_prompt(self, before: str) -> None:
        """Have the shell show its prompt anew, below what was printed behind it.

        Typed text looks the same as that, but goes when its line is cancelled.
        """
        number = self.channel.last.number
        # From its end: C-u takes only what stands before the cursor.
        self.pane.send_key("C-e", "C-u", "Enter")
        self.pane.wait_for_prompt(self._within(_ON_ITS_WAY))
        after = self._behind_prompt(number)
        if after is not None and not after.startswith(before):
            raise PaneNotReady(
                f"somebody else had typed into pane {self.pane.id}, or moved its "
                f"cursor: {before!r}; the line was cancelled, and {self.command!r} "
                "not sent",
                pane=self.pane.id,
                state="typed into by somebody else",
            )

    def _not_ready(self) -> PaneNotReady:
        screen = self.pane.screen()
        state = (
            "something is typed, or still running in the shell itself"
            if self.pane.shell_is_in_foreground
            else f"{tty.foreground_name(self.pane.pid)} is running"
        )
        return PaneNotReady(
            f"pane {self.pane.id} ({self.pane.program}) is not at its prompt: {state}; "
            f"wait_for_prompt() first, or send_key('C-c')\n{screen.describe()}",
            pane=self.pane.id,
            state=state,
        )

    # -- its end -------------------------------------------------------------

    def _await_answer(self, before: int, *, is_last: bool) -> PromptRecord | None:
        """The next prompt's record, or None once the shell asks for more."""
        pause = _FIRST_LOOK if is_last else _NEXT_LINE_LOOK
        while True:
            limit = Deadline(min(pause, self.deadline.remaining))
            record = self.channel.wait_for(before + 1, self.pane.pidfd, limit)
            if record is not None:
                return record
            if self.pane.has_ended:
                raise self.pane.died()
            if self._asks_for_more():
                if is_last:
                    raise self._incomplete()
                return None
            if self.deadline.expired:
                raise self._timed_out(before)
            pause = min(pause * 2, 1.0)

    def _asks_for_more(self) -> bool:
        line = self.pane.camera.screen().cursor_line
        return line.rstrip() == self.prompt.continuation.rstrip()

    def _incomplete(self) -> PaneNotReady:
        screen = self.pane.screen()
        self.pane.send_key("C-c")
        self.pane.wait_for_prompt(_PROMPT_LIMIT)
        return PaneNotReady(
            f"{self.command!r} is incomplete: {self.pane.program} asks for the rest "
            f"of it (an open quote or bracket?); it was cancelled with C-c\n"
            f"{screen.describe()}",
            pane=self.pane.id,
            state="continuation prompt",
        )

    def _timed_out(self, before: int) -> CommandTimeout:
        lines = self.pane.typist.fresh_lines(self.prompt.pattern)
        output = "\n".join(lines)
        screen = self.pane.screen()
        return CommandTimeout(
            f"{self.command!r} did not end within {self.deadline.timeout:g} s on pane "
            f"{self.pane.id} (foreground: {tty.foreground_name(self.pane.pid)}; it "
            f"goes on: stop it with send_key('C-c'){self._if_mute()})\n"
            f"{screen.describe()}",
            command=self.command,
            timeout=self.deadline.timeout,
            output=output,
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

    def _if_mute(self) -> str:
        if not self.pane.shell_is_in_foreground:
            return ""
        return (
            "; if it has ended, its prompt was not reported: was PROMPT_COMMAND or "
            "PS1 changed, or the shell replaced?"
        )

    # -- its output ----------------------------------------------------------

    def _result(
        self, start: Sent, first: int, record: PromptRecord, duration: float
    ) -> CommandResult:
        output, is_whole, is_ours = self._cut(
            self._look_until_prompt(start, record.number), first, record, start.column
        )
        cut = ""
        if not is_whole:
            grid = self.pane.camera.everything()
            output, is_whole, is_ours = self._cut(grid, first, record, 0)
            if not is_whole:
                full = grid.history >= grid.history_limit * 9 // 10
                cut = "the history limit" if full else "the screen was cleared"
        if not is_ours:
            raise self._not_seen()
        return CommandResult(self.command, record.status, output, duration, cut)

    def _not_seen(self) -> PaneNotReady:
        typed = squash(self.command.split("\n")[0])
        state = (
            "something else was typed, or the cursor was moved"
            if typed in squash(self.pane.screen().text)
            else "its terminal does not echo (stty -echo?)"
        )
        return PaneNotReady(
            f"{self.command!r} was sent to pane {self.pane.id}, but it is not seen at "
            f"its prompt: {state}; so status and output cannot be told apart\n"
            f"{self.pane.screen().describe()}",
            pane=self.pane.id,
            state=state,
        )

    def _cut(
        self, grid: Grid, first: int, record: PromptRecord, column: int
    ) -> tuple[str, bool, bool]:
        last = record.number
        return cut_output(
            grid.lines, self.prompt, first, last, self.command, grid.columns, column
        )

    def _look_until_prompt(self, start: Sent, number: int) -> Grid:
        def drawn() -> Grid | None:
            grid = self.pane.camera.since(start.row)
            behind = behind_prompt(grid.lines, self.prompt, number)
            self.pane.clean_since = self.pane.server_has_read() if behind == "" else b""
            return grid if behind is not None else None

        try:
            return self.pane.wait_until(drawn, _PROMPT_LIMIT, f"prompt {number}")
        except PaneDied:
            raise self.pane.died() from None
        except WaitTimeout as error:
            raise PaneNotReady(
                f"the shell of pane {self.pane.id} reported prompt {number}, but does "
                f"not show it: was PS1 changed?\n{error}",
                pane=self.pane.id,
                state="prompt changed",
            ) from None


def _indented(output: str) -> str:
    shown = output[-_SHOWN_OUTPUT:].rstrip("\n")
    if not shown:
        return ""
    return "\n  output:\n" + "\n".join("    " + line for line in shown.split("\n"))
