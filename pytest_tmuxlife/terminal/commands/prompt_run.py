"""Carrying out a command in a program of which only the prompt is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pytest_tmuxlife.errors import PaneNotReady, WaitTimeout
from pytest_tmuxlife.terminal.commands.run import ON_ITS_WAY, Run
from pytest_tmuxlife.terminal.dialogue import readiness, sending
from pytest_tmuxlife.terminal.dialogue.exits import died
from pytest_tmuxlife.terminal.sight.command import CommandResult, is_scrolled, take_echo
from pytest_tmuxlife.terminal.sight.echo import Sent
from pytest_tmuxlife.terminal.sight.width import split_at, width

_CLEARED = "the screen was cleared"
_Answer = Literal["prompt", "rest"]


class PromptRun(Run):
    """The end is the next prompt on the screen, the output what stands above it."""

    @property
    def has_status(self) -> bool:
        """There is a line that prints how a command ended."""
        return bool(self.pane.launch.status)

    def _carry_out(self) -> CommandResult:
        if self.pane.has_ended:
            raise died(self.pane)
        try:
            self.pane.wait_for_prompt(self._within(ON_ITS_WAY))
        except WaitTimeout:
            raise readiness.not_ready(self.pane) from None
        result = self._typed_and_cut(self.command)
        status = self.pane.launch.status
        if not status:
            return result
        return replace(result, exit_code=self._status(status))

    def _status(self, line: str) -> int:
        printed = self._typed_and_cut(line).output.strip()
        try:
            return int(printed)
        except ValueError:
            raise PaneNotReady(
                f"{line!r} is to print the exit status of {self.command!r} on pane "
                f"{self.pane.id} ({self.pane.program}), but it printed {printed!r}",
                pane=self.pane.id,
                state="no status",
            ) from None

    def _typed_and_cut(self, command: str) -> CommandResult:
        lines = command.split("\n")
        begun = self.deadline.elapsed
        start = self._type(lines[0])
        answer = self._await_answer(is_last=len(lines) == 1)
        for number, line in enumerate(lines[1:], 2):
            self._type(line)
            answer = self._await_answer(is_last=number == len(lines))
        if answer == "rest":
            raise self._incomplete()
        duration = self.deadline.elapsed - begun
        output, cut = self._output(start, lines)
        self.pane.typist.settle(at_prompt=True)
        return CommandResult(self.command, None, output, duration, cut)

    def _type(self, line: str) -> Sent:
        with self.pane.lock, sending.noted_if_sent(self.pane):
            return sending.type_command(self.pane, line, noting=True)

    # -- its end -------------------------------------------------------------

    def _await_answer(self, *, is_last: bool) -> _Answer:
        lasting = readiness.LastingState(self.pane)

        def answer() -> _Answer | None:
            if self.pane.is_at_prompt():
                return "prompt"
            if not is_last:
                grid = self.pane.camera.screen()
                return "rest" if readiness.asks_for_rest(self.pane, grid) else None
            # The program may just have printed what looks like it.
            return "rest" if lasting.look() is not None else None

        try:
            return self.pane.wait_until(
                answer, self._within(self.deadline.timeout), "prompt"
            )
        except WaitTimeout:
            raise self._timed_out() from None

    # -- its output ----------------------------------------------------------

    def _output(self, start: Sent, typed: list[str]) -> tuple[str, str]:
        """The output; and why its beginning is missing, or ""."""
        camera = self.pane.camera
        shown = self.pane.launch.prompt
        match = shown.search(camera.screen().until_cursor) if shown else None
        prompt = match.group().rstrip() if match else ""
        grid = camera.since(start.row)
        rows = _cut_at(grid.lines, prompt)
        taken = take_echo(rows, 0, start.column, typed[0], grid.columns)
        if taken:
            return self._text(rows[taken:], typed[1:], grid.columns), ""
        is_full = grid.history >= grid.history_limit * 8 // 10
        counts_up = start.history <= grid.history and start.row <= grid.cursor_row
        if counts_up and not is_full and self._is_prompt(rows[0], start, typed):
            # It stands where it stood, and has no echo behind it.
            raise self._not_seen()
        rows = _cut_at(camera.everything().lines, prompt)
        for index in range(len(rows) - 1, -1, -1):
            taken = self._echo_of(typed[0], rows, index, grid.columns)
            if taken:
                below = rows[index + taken :]
                return self._text(below, typed[1:], grid.columns), ""
            if self._is_prompt(rows[index], start, typed):
                # An earlier one: nothing was cleared.
                raise self._not_seen()
        if is_scrolled(rows, start.column, typed[0], grid.columns):
            raise self._not_seen()
        return "\n".join(rows), "the history limit" if is_full else _CLEARED

    def _is_prompt(self, row: str, start: Sent, typed: list[str]) -> bool:
        """The row begins with a prompt; not one for a further line of the command."""
        before, behind = split_at(row, start.column)
        shown = self.pane.launch.prompt
        if shown is None or behind.rstrip() in typed[1:]:
            return False
        return any(shown.search(text) for text in (before, before + " "))

    def _echo_of(self, line: str, rows: list[str], index: int, columns: int) -> int:
        """How many rows the echo of *line* behind a prompt takes; 0 if it is not there.

        The prompt may be that for a rest too.
        """
        row = rows[index]
        place = row.find(line.rstrip()) if line.strip() else len(row.rstrip())
        if place < 0:
            return 0
        before = row[:place]
        launch = self.pane.launch
        for pattern in (launch.prompt, launch.continuation):
            # A final blank is lost if nothing stands behind it.
            for text in (before, before + " "):
                if pattern is not None and pattern.search(text):
                    return take_echo(rows, index, width(before), line, columns)
        return 0

    def _text(self, rows: list[str], typed: list[str], columns: int) -> str:
        """The rows without the echo of the further lines, each behind a prompt."""
        kept: list[str] = []
        pending = list(typed)
        position = 0
        while position < len(rows):
            taken = 0
            if pending:
                taken = self._echo_of(pending[0], rows, position, columns)
            if taken:
                pending.pop(0)
            else:
                kept.append(rows[position])
            position += max(1, taken)
        return "\n".join(kept)


def _cut_at(rows: list[str], prompt: str) -> list[str]:
    """The rows up to the last prompt, and what stands before it in its own."""
    rows = list(rows)
    while rows and not rows[-1].strip():
        rows.pop()
    if rows:
        final = rows[-1].rstrip()
        rows[-1] = final[: len(final) - len(prompt)]
    return rows
