"""What is allowed to stay, and for which reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pytest_tmuxlife.containment.processes import ProcessInfo

# What finds all of these would find anything.
_UNLIKE_EACH_OTHER = ("sh", "/usr/bin/vim -u NONE", "[kworker/0:1]")


@dataclass(frozen=True, slots=True)
class Permission:
    """That one process may outlive its test.

    Attributes:
        reason: Why.
        keep: It lives on until the run ends, instead of being ended now.
        rule: The expression that allows it, or "" if it was no expression.
        source: Where the rule was given.
    """

    reason: str
    keep: bool = False
    rule: str = ""
    source: str = ""


class Rule(Protocol):
    """What may allow a process to stay."""

    def permission(self, process: ProcessInfo) -> Permission | None:
        """Given for this process, or not."""
        ...


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

    def permission(self, process: ProcessInfo) -> Permission | None:
        """Given for a process whose command line has the pattern."""
        return self.permission_by(process.command_line)

    def permission_by(self, text: str) -> Permission | None:
        """Given for what has the pattern in the text that stands for it."""
        if self.pattern.search(text) is None:
            return None
        return Permission(self.reason, self.keep, self.pattern.pattern, self.source)


class AskedRule:
    """Allows what somebody's function gives a reason for.

    Args:
        ask: Returns the reason, or None. What it raises is no permission, and
            stands in `errors`.
        source: What the function is, for messages.

    Attributes:
        errors: What it raised, each once.
    """

    def __init__(self, ask: Callable[[ProcessInfo], object], source: str) -> None:
        self._ask = ask
        self._source = source
        self.errors: list[str] = []

    def permission(self, process: ProcessInfo) -> Permission | None:
        """Given for a process that the function has a reason for."""
        try:
            reason = self._ask(process)
            if reason is None:
                return None
            if not isinstance(reason, str) or not reason.strip():
                raise TypeError(f"{reason!r} is no reason; return a text or None")
        except Exception as error:
            text = f"{self._source}: {type(error).__name__}: {error}"
            if text not in self.errors:
                self.errors.append(text)
            return None
        return Permission(reason.strip(), source=self._source)


def compile_rule(match: str | re.Pattern[str]) -> re.Pattern[str]:
    """The expression of a rule.

    Raises:
        ValueError: It is invalid, or matches everything.
    """
    if isinstance(match, str):
        try:
            match = re.compile(match)
        except re.error as error:
            raise ValueError(f"{match!r} is no regular expression: {error}") from None
    if match.search("") or all(match.search(line) for line in _UNLIKE_EACH_OTHER):
        raise ValueError(f"{match.pattern!r} would allow every process")
    return match


def make_rule(
    match: str | re.Pattern[str], reason: str, *, keep: bool = False, source: str = ""
) -> IgnoreRule:
    """A rule from what a user wrote.

    Raises:
        ValueError: The expression is invalid, or matches everything; or the
            reason is empty.
    """
    pattern = compile_rule(match)
    if not reason.strip():
        raise ValueError(f"{pattern.pattern!r} needs a reason why it may stay")
    return IgnoreRule(pattern, reason.strip(), keep, source)


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


def permission_for(rules: Iterable[Rule], process: ProcessInfo) -> Permission | None:
    """Of the first rule that allows the process; None if it may not stay."""
    given = (rule.permission(process) for rule in rules)
    return next((permission for permission in given if permission), None)
