"""A prompt on the screen as the place from which rows are counted.

A row's number says where it is only while the oldest rows are kept: tmux drops a
tenth of a full history at once, and a clear can take all of it. A prompt with a
number of its own is known wherever it has moved to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_tmuxlife.terminal.programs.channel import PromptChannel
from pytest_tmuxlife.terminal.programs.prompts import HousePrompt


@dataclass(frozen=True, slots=True)
class Anchor:
    """A prompt that was on the screen at a send.

    Attributes:
        prompt: The program's.
        number: Which of them.
        above: So many rows above the send's.
    """

    prompt: HousePrompt
    number: int
    above: int = 0

    @property
    def token(self) -> str:
        """How it looks, without blanks behind it."""
        return self.prompt.token(self.number).rstrip()

    @property
    def question(self) -> str:
        """A format: its row on the screen, from 1; 0 if it is not there.

        Source: tmux(1), FORMATS, ``C:``, which takes an fnmatch(3) pattern.
        """
        return f"#{{C:?{self.token[1:-2]}?$}}"

    def row_in(self, rows: Sequence[str], row: int, step: int) -> int | None:
        """In which of *rows* it is; None if in none.

        Args:
            rows: All that are kept, as they are.
            row: Where it was.
            step: So many rows are dropped at once. A copy that the program
                has printed does not stand a multiple of that higher.
        """
        token = self.token
        found = [index for index, text in enumerate(rows) if token in text]
        steps = [index for index in found if (row - index) % step == 0]
        return next(reversed(steps or found), None)

    def is_newest_in(self, rows: Sequence[str]) -> bool:
        """None of *rows* has a prompt from before it."""
        pattern = re.escape(self.token).replace(f":{self.number}", r":(\d+)")
        # One can take two rows, behind output without a final newline.
        numbers = re.findall(pattern, "".join(rows))
        return all(int(number) > self.number for number in numbers)


class Anchors:
    """Where the newest prompts of one pane are asked for.

    Args:
        prompt: The program's; None if it is not one of ours.
        channel: On which it reports them; None without one.
    """

    def __init__(
        self, prompt: HousePrompt | None = None, channel: PromptChannel | None = None
    ) -> None:
        self._prompt = prompt
        self._channel = channel

    def newest(self) -> list[Anchor]:
        """The last prompt that was reported, and the one before.

        The last may not be drawn yet.
        """
        if self._prompt is None or self._channel is None:
            return []
        last = self._channel.last.number
        return [Anchor(self._prompt, n) for n in (last, last - 1) if n > 0]
