"""Prompts that we give to programs, so that they cannot be mistaken."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HousePrompt:
    """A prompt of ours: ``[nonce:number]$ ``.

    The number goes up with each prompt, so every echo of a command is
    unique; the definition of the prompt itself does not match.

    Attributes:
        nonce: Of one start of one program.
        shows_rest: The program shows `continuation` for the rest of an
            incomplete command; else it just goes on in the next row.
        no_newline: What it puts behind output that ends without a newline,
            and blanks to the edge, before it shows the prompt in a row of its
            own; "" if it shows the prompt right behind it.
        blank_at_edge: It leaves a row blank below an echo that ends at the right edge.
        key: How `mark_key` is spelt, the nonce in braces.
    """

    nonce: str
    shows_rest: bool = True
    no_newline: str = ""
    blank_at_edge: bool = False
    key: str = "\x1b[133;{}~"

    def token(self, number: int) -> str:
        """The prompt number *number*, with its final blank."""
        return f"[{self.nonce}:{number}]$ "

    def begins(self, number: int | str) -> str:
        """Printed before the output of a command that was typed at that prompt.

        Source: the shell integration marks of terminals, OSC 133.
        """
        return f"\x1b]133;C;{self.nonce};{number}\x07"

    def ends(self, number: int | str) -> str:
        """Printed behind the output, before that prompt."""
        return f"\x1b]133;D;{self.nonce};{number}\x07"

    @property
    def mark_key(self) -> str:
        """Pressed at a prompt: the next command gets the two marks."""
        return self.key.format(self.nonce)

    @property
    def fixed(self) -> str:
        """For a program whose prompt cannot be counted."""
        return f"[{self.nonce}]$ "

    @property
    def continuation(self) -> str:
        """What an incomplete command gets."""
        return f"[{self.nonce}+]> "

    def numbers_in(self, text: str) -> list[int]:
        """Of the prompts that it holds."""
        found: list[str] = re.findall(rf"\[{self.nonce}:(\d+)\]\$", text)
        return [int(number) for number in found]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Any of its prompts, that for the rest of a command too."""
        return re.compile(rf"\[{self.nonce}(?:(?::\d+)?\]\$|\+\]>) ?")
