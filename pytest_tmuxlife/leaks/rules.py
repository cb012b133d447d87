"""What is allowed to stay, and for which reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_tmuxlife.containment.processes import ProcessInfo

# What finds all of these would find anything.
_UNLIKE_EACH_OTHER = ("sh", "/usr/bin/vim -u NONE", "[kworker/0:1]")


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """Allows processes by their command line.

    Attributes:
        pattern: Searched in the command line.
        reason: Why it may stay; shown beside it.
        keep: It lives on until the run ends, instead of being ended now.
        source: Where the rule was given, for messages.
    """

    pattern: re.Pattern[str]
    reason: str
    keep: bool = False
    source: str = ""

    def allows(self, process: ProcessInfo) -> bool:
        """True if this process is meant."""
        return self.pattern.search(process.command_line) is not None


def make_rule(
    match: str | re.Pattern[str], reason: str, *, keep: bool = False, source: str = ""
) -> IgnoreRule:
    """A rule from what a user wrote.

    Raises:
        ValueError: The expression is invalid, or matches everything; or the
            reason is empty.
    """
    if isinstance(match, str):
        try:
            match = re.compile(match)
        except re.error as error:
            raise ValueError(f"{match!r} is no regular expression: {error}") from None
    if match.search("") or all(match.search(line) for line in _UNLIKE_EACH_OTHER):
        raise ValueError(f"{match.pattern!r} would allow every process")
    if not reason.strip():
        raise ValueError(f"{match.pattern!r} needs a reason why it may stay")
    return IgnoreRule(match, reason.strip(), keep, source)


def parse_rule(line: str, source: str) -> IgnoreRule:
    """A rule from a line ``expression # reason``.

    Raises:
        ValueError: See `make_rule`, or there is no reason in the line.
    """
    # The first mark: a reason may hold another one.
    expression, mark, reason = line.partition(" # ")
    if not mark:
        raise ValueError(f"{line!r} has no reason; write: expression # reason")
    return make_rule(expression.strip(), reason, source=source)


def rule_for(rules: Iterable[IgnoreRule], process: ProcessInfo) -> IgnoreRule | None:
    """The first rule that allows the process."""
    return next((rule for rule in rules if rule.allows(process)), None)
