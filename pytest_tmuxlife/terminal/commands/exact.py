"""A run that gives the program's own bytes, not what the terminal makes of them.

They come through a pipe of tmux's that lasts for the command. Where they begin and
end a shell says by marks, which no screen shows, and which it prints only if a key
was pressed before the command. dash has no such key: its output begins behind the
terminal's echo, and ends before its next prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import CommandTimeout, PaneNotReady, TmuxLifeError
from pytest_tmuxlife.terminal.commands.reported_run import ReportedRun
from pytest_tmuxlife.terminal.commands.run import PROMPT_LIMIT
from pytest_tmuxlife.terminal.dialogue.dialogue import Dialogue
from pytest_tmuxlife.terminal.dialogue.exits import ENDING, died
from pytest_tmuxlife.terminal.dialogue.pipe import PanePipe, press_command
from pytest_tmuxlife.terminal.programs.channel import PromptRecord
from pytest_tmuxlife.terminal.sight.command import CommandResult
from pytest_tmuxlife.terminal.sight.drawing import Drawing
from pytest_tmuxlife.terminal.sight.echo import Sent, squash
from pytest_tmuxlife.terminal.typing import tty

# What a line editor wraps a line with, and a mark.
_MOVES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|M|\][^\x07]*\x07)|\x08")
# fish sets the title and resets colours behind its own mark; and marks, before its
# prompt, a line that has no end.
_FISH_BEGINS = re.compile(
    rb"(?:\x1b\][02];[^\x07\x1b]*(?:\x07|\x1b\\))?"
    rb"(?:\x1b\[30m)?(?:\x1b\(B)?(?:\x1b\[m)?\x0f?\r?"
)
_FISH_ENDS = re.compile(rb"(?:\x1b\[2m)?\xe2\x8f\x8e\x1b.*\Z", re.DOTALL)
# fish 4.0 cannot be told to print no marks of its own.
_FISH_HAS_MARKS = b"\x1b]133;C"
_FISH_MARK = re.compile(rb"\x1b\]133;D;\d+\x07\Z")


@dataclass(slots=True)
class _Part:
    """One of the commands of a run.

    Attributes:
        prompt: Number of the prompt that it was typed at.
        start: How much had come through the pipe before that.
        echoed: Its lines, if the terminal echoes them.
        end: Number of the prompt that followed it; 0 before.
    """

    prompt: int
    start: int
    echoed: list[str]
    end: int = 0


class ExactRun(ReportedRun):
    """The output is what comes through the pipe between two marks."""

    _pipe: PanePipe
    _parts: list[_Part]
    _adds_returns: bool

    def _carry_out(self) -> CommandResult:
        self._require_prompt()
        self._parts = []
        modes = tty.modes(self.pane.terminal)
        self._adds_returns = modes is None or modes.adds_returns
        with PanePipe(self.pane) as self._pipe:
            try:
                return self._typed_and_cut()
            except CommandTimeout as error:
                raise self._with_bytes(error) from None

    # -- typing --------------------------------------------------------------

    @property
    def _has_marks(self) -> bool:
        return self.pane.launch.exact == "marks"

    def _before_command(self) -> None:
        if self.pane.launch.name == "bash":
            self._require_whole_row()
        if self._parts:
            # Its echo is looked for behind the prompt that it is typed at.
            self._await_prompt()
        number = self.channel.last.number
        self._parts.append(_Part(number, len(self._pipe.data), []))
        press = self.prompt.mark_key.encode() if self._has_marks else b""
        if len(self._parts) == 1:
            self._pipe.open(press)
        elif press:
            self.pane.camera.ask(*press_command(self.pane, press))
        if press:
            self._require_promise(number)

    def _require_whole_row(self) -> None:
        """The prompt has its row to itself.

        For the key bash draws it anew, over output that had no final newline.
        """
        look = ("display-message", "-p", "-t", self.pane.id, "#{cursor_x}")
        column = len(self.prompt.token(self.channel.last.number))
        if self.pane.camera.ask(*look).strip() != str(column):
            self.pane.send_key("Enter")
            self.pane.wait_for_prompt(self._within(PROMPT_LIMIT))

    def _require_promise(self, number: int) -> None:
        """The shell will mark what the next command prints."""
        limit = Deadline(PROMPT_LIMIT * self.pane.timeout_scale)
        channel, pidfd = self.channel, self.pane.pidfd
        if channel.wait_for_promise(number, pidfd, limit, self._pipe):
            return
        if self.pane.has_ended:
            raise died(self.pane)
        self.pane.send_key(*self.pane.launch.cancel)
        raise PaneNotReady(
            f"{self.pane.program} in pane {self.pane.id} does not mark its output any "
            f"more (were its key bindings, or PS0, changed?); {self.command!r} was not "
            "sent; run it without exact=True",
            pane=self.pane.id,
            state="no marks",
        )

    def _type(self, line: str, *, noting: bool = False) -> Sent:
        modes = tty.modes(self.pane.terminal)
        # Of a line editor's own echo the terminal knows nothing.
        if modes is None or modes.echo or not modes.canonical:
            self._parts[-1].echoed.append(line)
        return super()._type(line, noting=noting)

    # -- its end -------------------------------------------------------------

    def _await_answer(self, before: int, *, is_last: bool) -> PromptRecord | None:
        record = super()._await_answer(before, is_last=is_last)
        if record is not None:
            self._parts[-1].end = record.number
        return record

    def _wait_for_record(self, number: int, limit: Deadline) -> PromptRecord | None:
        return self.channel.wait_for(number, self.pane.pidfd, limit, self._pipe)

    def _await_prompt(self) -> None:
        """All of the output has come through the pipe, and the prompt behind it."""
        part = self._parts[-1]
        prompt = self.prompt.token(part.end).encode()
        limit = Deadline(PROMPT_LIMIT * self.pane.timeout_scale)
        seen = part.start
        while True:
            self._pipe.drain()
            data = self._pipe.data
            if data.find(prompt, seen) >= 0:
                break
            if self._pipe.has_ended and self.pane.ends_within(ENDING):
                raise died(self.pane)
            if self._pipe.has_ended or limit.expired:
                raise self._cut_off()
            seen = max(part.start, len(data) - len(prompt))
            self._pipe.wait(limit.remaining)
        self.pane.clean_since = 0

    def _cut_off(self) -> PaneNotReady:
        return PaneNotReady(
            f"{self.command!r} has ended on pane {self.pane.id}, but its output "
            "did not come through the pipe to its end (did somebody use pipe-pane, or "
            "kill its cat? was PS1 changed?)",
            pane=self.pane.id,
            state="cut off",
        )

    def _with_bytes(self, error: CommandTimeout) -> CommandTimeout:
        """The error with what came through the pipe in place of what is shown."""
        self._pipe.drain()
        output = b"".join(self._bytes_of(part) for part in self._parts)
        return CommandTimeout(
            error.message, **{**error.fields, "output": _text(output)}
        )

    # -- its output ----------------------------------------------------------

    def _result(
        self, start: Sent, first: int, record: PromptRecord, duration: float
    ) -> CommandResult:
        # What the screen shows of it does not matter: binary output may have put it
        # into any state.
        self._await_prompt()
        if not self._is_ours():
            raise self._not_seen(self._behind_prompt(first) or "")
        output = b"".join(self._bytes_of(part) for part in self._parts)
        return CommandResult(self.command, record.status, _text(output), duration)

    def _is_ours(self) -> bool:
        """Nobody else has typed there since the pane was seen at its prompt.

        As far as an echo can be read: zsh and fish draw theirs in pieces.
        """
        part = self._parts[0]
        if not part.echoed or self.pane.launch.name not in ("bash", "dash"):
            return True
        echo = bytes(self._pipe.data[part.start : self._begin_of(part)])
        drawn = echo.decode("utf-8", "replace")
        typed = squash("".join(part.echoed))
        if self._shown(drawn, part.prompt) == typed:
            return True
        text = self.prompt.pattern.sub("", _MOVES.sub("", drawn))
        found = squash(text)
        # What a job in the background has printed meanwhile may stand before it.
        has_rows_before = found.endswith(typed) and "\n" in text.strip()
        return not found or found == typed or has_rows_before

    def _shown(self, drawn: str, number: int) -> str:
        """What stands behind the prompts once all that was *drawn*, squashed.

        Where a line is wrapped readline writes some of it twice.
        """
        size = tty.size(self.pane.terminal)
        if size is None:
            return ""
        prompt = self.prompt.token(number)
        # For its key bash has drawn it anew.
        behind = drawn.rpartition(prompt)[2]
        drawing = Drawing(size[0])
        drawing.draw(prompt + behind)
        return squash(self.prompt.pattern.sub("", drawing.text))

    def _begin_of(self, part: _Part) -> int:
        """Where the output of one command begins."""
        data = self._pipe.data
        if self._has_marks:
            mark = self.prompt.begins(part.prompt).encode()
            place = data.find(mark, part.start)
            if place >= 0:
                return place + len(mark)
        # dash; and a line that its shell did not carry out prints no mark.
        place = part.start
        for line in part.echoed:
            echo = line.encode() + b"\r\n"
            found = data.find(echo, place)
            if found < 0:
                found = data.find(b"\n", place)
                echo = b"\n"
            if found < 0:
                return len(data)
            place = found + len(echo)
        return place

    def _bytes_of(self, part: _Part) -> bytes:
        """What one command has printed, as far as it has come."""
        data = self._pipe.data
        begin = self._begin_of(part)
        end = len(data)
        if part.end:
            ends = (self.prompt.ends(part.end), self.prompt.token(part.end))
            for mark in ends if self._has_marks else ends[1:]:
                place = data.rfind(mark.encode(), begin)
                if place >= 0:
                    end = place
                    break
        printed = bytes(data[begin:end])
        if self.pane.launch.name == "fish":
            printed = _FISH_ENDS.sub(b"", _FISH_BEGINS.sub(b"", printed, count=1))
            if _FISH_HAS_MARKS in data[part.start : begin]:
                printed = _FISH_MARK.sub(b"", printed)
        return printed.replace(b"\r\n", b"\n") if self._adds_returns else printed


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def exact_run(pane: Dialogue, command: str, timeout: float) -> ExactRun:
    """A run of *command* that gives its bytes.

    Raises:
        TmuxLifeError: The pane's program does not tell what is its own.
    """
    launch = pane.launch
    if not launch.exact or pane.channel is None or launch.house_prompt is None:
        raise TmuxLifeError(
            f"exact=True needs a shell that tells where output begins and ends (the "
            f"presets bash, dash, zsh and fish); {pane.program} in pane {pane.id} does "
            "not"
        )
    return ExactRun(pane, command, timeout, pane.channel, launch.house_prompt)
