"""Known leaks: accepted while they happen, a failure once they stop."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pytest_tmuxlife.leaks.rules import compile_rule

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.leak import Leak


@dataclass(frozen=True, slots=True)
class KnownLeak:
    """A leak that is accepted until somebody mends it.

    Attributes:
        pattern: Searched in the command line of a process, or in the target of
            what is none.
        reason: Why it is accepted.
        issue: Where it is followed up.
        strict: It is a failure if it does not happen.
    """

    pattern: re.Pattern[str]
    reason: str
    issue: str = ""
    strict: bool = True

    def covers(self, leak: Leak) -> bool:
        """True if this leak is meant."""
        return self.pattern.search(searched_text(leak)) is not None

    def __str__(self) -> str:
        return f"{self.reason} ({self.issue})" if self.issue else self.reason


def searched_text(leak: Leak) -> str:
    """What expressions are searched in."""
    return leak.process.command_line if leak.process else leak.target


def make_known(
    match: object, reason: object, issue: object = "", strict: object = True
) -> KnownLeak:
    """A known leak from what a user wrote.

    Raises:
        ValueError: Names the argument that is wrong, and what is valid.
    """
    if not isinstance(getattr(match, "pattern", match), str):
        raise ValueError(f"match={match!r}: expected a regular expression")
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError(f"reason={reason!r}: expected a text that says why")
    if not isinstance(issue, str):
        raise ValueError(f"issue={issue!r}: expected a text: a number or an address")
    if not isinstance(strict, bool):
        raise ValueError(f"strict={strict!r}: expected True or False")
    try:
        pattern = compile_rule(cast("str | re.Pattern[str]", match))
    except ValueError as error:
        raise ValueError(f"match={match!r}: {error}") from None
    return KnownLeak(pattern, reason.strip(), issue.strip(), strict)
