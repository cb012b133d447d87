"""Known leaks: accepted while they happen, a failure once they stop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from pytest_tmuxlife.leaks.rules import compile_rule

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.model import Finding, Leak, Verdict


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


def accept(finding: Finding, known: Sequence[KnownLeak], *, expected: bool) -> Finding:
    """The finding with its known leaks apart from the others.

    Args:
        finding: With all that was left.
        known: What is accepted.
        expected: The test ran to its end, so that a strict one that did not
            happen is named in ``missing``.
    """
    if not known:
        return finding
    missing = [
        one
        for one in known
        if expected and one.strict and not any(map(one.covers, finding.all_leaks))
    ]
    leaks, accepted = _parted(finding.leaks, known)
    return replace(
        finding,
        verdicts=[_accept_of_server(verdict, known) for verdict in finding.verdicts],
        leaks=leaks,
        known=accepted,
        missing=missing,
    )


def _accept_of_server(verdict: Verdict, known: Sequence[KnownLeak]) -> Verdict:
    leaks, accepted = _parted(verdict.leaks, known)
    return replace(verdict, leaks=leaks, known=accepted)


def _parted(
    leaks: Sequence[Leak], known: Sequence[KnownLeak]
) -> tuple[list[Leak], list[tuple[Leak, KnownLeak]]]:
    others, accepted = [], []
    for leak in leaks:
        cover = next((one for one in known if one.covers(leak)), None)
        if cover is None:
            others.append(leak)
        else:
            accepted.append((leak, cover))
    return others, accepted
