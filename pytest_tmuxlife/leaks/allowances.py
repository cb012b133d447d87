"""A finding, with what is allowed apart from what is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.leaks.rules import IgnoreRule, Permission, Rule, permission_for

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.known import KnownLeak
    from pytest_tmuxlife.leaks.leak import Leak
    from pytest_tmuxlife.leaks.model import Finding, Verdict


def allow(finding: Finding, rules: Sequence[Rule]) -> Finding:
    """The finding with what the rules allow apart from what else was left.

    What a tmux server left was judged by them already. An expression is
    searched in the command line, or in the target of what is no process.
    """
    if not rules or not finding.leaks:
        return finding
    judged = [(leak, _permission_of(leak, rules)) for leak in finding.leaks]
    return replace(
        finding,
        leaks=[leak for leak, given in judged if given is None],
        ignored=[(leak, given) for leak, given in judged if given is not None],
    )


def _permission_of(leak: Leak, rules: Sequence[Rule]) -> Permission | None:
    if leak.process is not None:
        return permission_for(rules, leak.process)
    found = (
        rule.permission_by(leak.target)
        for rule in rules
        if isinstance(rule, IgnoreRule)
    )
    return next((given for given in found if given is not None), None)


def kept_processes(leaks: Iterable[Leak], rules: Iterable[Rule]) -> list[Identity]:
    """Processes among *leaks* that may live until the run ends."""
    # Nobody's function can say so: it need not be asked once more.
    given = [rule for rule in rules if isinstance(rule, IgnoreRule)]
    found = [leak.process for leak in leaks if leak.process is not None]
    return [
        Identity(process.pid, process.start_ticks)
        for process in found
        if (permission := permission_for(given, process)) and permission.keep
    ]


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
