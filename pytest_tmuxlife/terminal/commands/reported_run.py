"""Carrying out a command in a program that reports each prompt."""

from __future__ import annotations

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.errors import PaneDied, PaneNotReady, WaitTimeout
from pytest_tmuxlife.terminal.commands.run import ON_ITS_WAY, PROMPT_LIMIT, Run
from pytest_tmuxlife.terminal.dialogue import readiness, sending
from pytest_tmuxlife.terminal.dialogue.dialogue import Dialogue
from pytest_tmuxlife.terminal.dialogue.exits import died
from pytest_tmuxlife.terminal.programs.channel import PromptChannel, PromptRecord
from pytest_tmuxlife.terminal.programs.prompts import HousePrompt
from pytest_tmuxlife.terminal.sight.command import (
    CommandResult,
    behind_prompt,
    cut_output,
    is_kept,
)
from pytest_tmuxlife.terminal.sight.echo import Sent
from pytest_tmuxlife.terminal.sight.screen import Grid

# How long a silent program is waited for before it is looked at: it may ask
# for the rest of an incomplete command.
_FIRST_LOOK = 0.05
# A continuation prompt for the next line comes at once.
_NEXT_LINE_LOOK = 0.001


class ReportedRun(Run):
    """The end is what the channel says, the output what stands between prompts."""

    def __init__(
        self,
        pane: Dialogue,
        command: str,
        timeout: float,
        channel: PromptChannel,
        prompt: HousePrompt,
    ) -> None:
        super().__init__(pane, command, timeout)
        self.channel = channel
        self.prompt = prompt

    @property
    def has_status(self) -> bool:
        """The program tells how a command ended."""
        return self.pane.launch.has_status

    def _carry_out(self) -> CommandResult:
        self._require_prompt()
        return self._typed_and_cut()

    def _typed_and_cut(self) -> CommandResult:
        self._before_command()
        first = self.channel.last.number
        lines = self.command.split("\n")
        begun = self.deadline.elapsed
        start = self._type(lines[0])
        record = self._await_answer(first, is_last=len(lines) == 1)
        for number, line in enumerate(lines[1:], 2):
            if record is not None:
                # Typed before the prompt is drawn it would be echoed above it.
                self.pane.wait_until(
                    lambda: self.pane.is_at_prompt() or None, PROMPT_LIMIT, "prompt"
                )
                self._before_command()
            before = self.channel.last.number
            self._type(line, noting=True)
            record = self._await_answer(before, is_last=number == len(lines))
        duration = self.deadline.elapsed - begun
        assert record is not None
        result = self._result(start, first, record, duration)
        self.pane.typist.settle(at_prompt=True)
        return result

    def _before_command(self) -> None:
        """The pane is at its prompt, and the first line of a command comes next."""

    def _type(self, line: str, *, noting: bool = False) -> Sent:
        with self.pane.lock, sending.noted_if_sent(self.pane):
            self.pane.typist.owed_after = self.channel.last.number
            self.channel.forget_answers()
            return sending.type_command(self.pane, line, noting=noting)

    # -- the prompt before it ------------------------------------------------

    def _require_prompt(self) -> None:
        if self.pane.has_ended:
            raise died(self.pane)
        if self._is_untouched():
            return
        try:
            self.pane.wait_for_prompt(self._within(ON_ITS_WAY))
            behind = self._behind_prompt(self.channel.last.number)
            if behind:
                self._fetch_clean_prompt(behind)
        except WaitTimeout:
            raise readiness.not_ready(self.pane) from None

    def _is_untouched(self) -> bool:
        """Nothing was sent, and nothing printed, since we saw this very prompt."""
        number = self.channel.last.number
        return (
            self.channel.drain().number == number
            and number > self.pane.typist.owed_after
            and not self.pane.typist.is_pending
            and self.pane.clean_since > 0
            and self.pane.clean_since == procfs.bytes_read(self.pane.server_pid)
            and self.pane.shell_is_in_foreground
        )

    def _behind_prompt(self, number: int, *, first: bool = False) -> str | None:
        lines = self.pane.camera.joined_screen().lines
        return behind_prompt(lines, self.prompt, number, first=first)

    def _fetch_clean_prompt(self, before: str) -> None:
        """Have the shell show its prompt anew, below what was printed behind it.

        Typed text looks the same as that, but goes when its line is cancelled.
        """
        number = self.channel.last.number
        # From its end: C-u takes only what stands before the cursor.
        self.pane.send_key("C-e", "C-u", "Enter")
        self.pane.wait_for_prompt(self._within(ON_ITS_WAY))
        after = self._behind_prompt(number, first=True)
        if after is not None and not after.startswith(before):
            raise PaneNotReady(
                f"somebody else had typed into pane {self.pane.id}, or moved its "
                f"cursor: {before!r}; the line was cancelled, and {self.command!r} "
                "not sent",
                pane=self.pane.id,
                state="typed into by somebody else",
            )

    # -- its end -------------------------------------------------------------

    def _await_answer(self, before: int, *, is_last: bool) -> PromptRecord | None:
        """The next prompt's record, or None once the shell asks for more."""
        pause = _FIRST_LOOK if is_last else _NEXT_LINE_LOOK
        while True:
            limit = Deadline(min(pause, self.deadline.remaining))
            record = self._wait_for_record(before + 1, limit)
            if record is not None:
                return record
            if self.pane.has_ended:
                raise died(self.pane)
            if self.channel.refuses:
                raise self._refused()
            if readiness.asks_for_rest(self.pane, self.pane.camera.screen()):
                if is_last:
                    raise self._incomplete()
                return None
            if self.deadline.expired:
                raise self._timed_out(self._if_mute())
            pause = min(pause * 2, 1.0)

    def _wait_for_record(self, number: int, limit: Deadline) -> PromptRecord | None:
        return self.channel.wait_for(number, self.pane.pidfd, limit)

    def _if_mute(self) -> str:
        if not self.pane.shell_is_in_foreground:
            return ""
        return (
            "; if it has ended, its prompt was not reported: was PROMPT_COMMAND or "
            "PS1 changed, or the shell replaced? if it is incomplete, its prompt for "
            "the rest was not known: was PS2 changed?"
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
                typed = self.command.split("\n")[0]
                if is_kept(grid.lines, self.prompt, first, typed, grid.columns):
                    raise self._not_seen()
                full = grid.history >= grid.history_limit * 9 // 10
                cut = "the history limit" if full else "the screen was cleared"
        if not is_ours:
            raise self._not_seen(self._behind_prompt(first) or "")
        return CommandResult(self.command, record.status, output, duration, cut)

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
            is_clean = behind == ""
            read = procfs.bytes_read(self.pane.server_pid) if is_clean else 0
            self.pane.clean_since = read
            return grid if behind is not None else None

        try:
            return self.pane.wait_until(drawn, PROMPT_LIMIT, f"prompt {number}")
        except PaneDied:
            raise died(self.pane) from None
        except WaitTimeout as error:
            raise PaneNotReady(
                f"the shell of pane {self.pane.id} reported prompt {number}, but does "
                f"not show it: was PS1 changed?\n{error}",
                pane=self.pane.id,
                state="prompt changed",
            ) from None
