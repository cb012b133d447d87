"""What a whole run has found, as lines: pure functions on records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_tmuxlife.leaks.particulars import origin, printable
from pytest_tmuxlife.leaks.record import Record
from pytest_tmuxlife.leaks.report import plural

# Of a run in which everything leaks.
_LISTED = 100


def entries(records: Iterable[Record], status: str) -> list[tuple[Record, Record]]:
    """(record, leak) of all leaks with that status."""
    return [
        (record, leak)
        for record in records
        for leak in record["leaks"]
        if leak["status"] == status
    ]


def totals(records: Sequence[Record]) -> Record:
    """How many there are: of owners, of leaks by kind, known, allowed, missing."""
    leaks = entries(records, "leak")
    kinds: dict[str, int] = {}
    for _, leak in leaks:
        kinds[leak["kind"]] = kinds.get(leak["kind"], 0) + 1
    owners = {(record["scope"], record["owner"]) for record, _ in leaks}
    return {
        "leaks": len(leaks),
        "kinds": kinds,
        "owners": _by_scope(owners),
        "known": len(entries(records, "known")),
        "allowed": len(entries(records, "allowed")),
        "missing": sum(len(record["missing"]) for record in records),
    }


def _by_scope(owners: Iterable[tuple[str, str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for scope, _ in sorted(owners):
        found[scope] = found.get(scope, 0) + 1
    return found


def total_line(records: Sequence[Record]) -> str:
    """``3 leaks in 2 tests: 2 processes, 1 descriptor; 1 known leak``."""
    total = totals(records)
    parts = []
    if total["leaks"]:
        where = ", ".join(
            _in_scope(scope, number) for scope, number in total["owners"].items()
        )
        kinds = ", ".join(
            _many(kind, number) for kind, number in total["kinds"].items()
        )
        parts.append(f"{_many('leak', total['leaks'])} in {where}: {kinds}")
    if total["known"]:
        parts.append(_many("known leak", total["known"]))
    if total["missing"]:
        parts.append(f"{_many('known leak', total['missing'])} did not happen")
    if total["allowed"]:
        parts.append(f"{total['allowed']} allowed")
    return "; ".join(parts)


def _in_scope(scope: str, number: int) -> str:
    return "the run" if scope == "run" else _many(scope, number)


def _many(what: str, number: int) -> str:
    return f"{number} {plural(what, number)}"


def leak_lines(records: Sequence[Record]) -> list[str]:
    """One line for each leak, and for each known one that did not happen."""
    lines = []
    for record, leak in entries(records, "leak"):
        place = origin(leak["kind"], leak["opened_at"])
        warned = "warning: " if record["level"] == "warn" else ""
        what = f"{leak['name']}: {leak['why']}{place and ', '}{place}"
        lines.append(f"{record['owner']}: {warned}{what}")
    hidden = len(lines) - _LISTED
    if hidden > 0:
        lines = [*lines[:_LISTED], f"... and {hidden} more leaks"]
    for record in records:
        lines += [
            f"{record['owner']}: known leak {one['match']!r} did not happen"
            for one in record["missing"]
        ]
    return [printable(line) for line in lines]


def accepted_lines(records: Sequence[Record]) -> list[str]:
    """One line for each known leak and for each rule, with all that it covered."""
    return [
        *_grouped(entries(records, "known"), "known", ("match", "reason", "issue")),
        *_grouped(entries(records, "allowed"), "allowed", ("match", "reason")),
    ]


def _grouped(
    found: Sequence[tuple[Record, Record]], word: str, fields: Sequence[str]
) -> list[str]:
    groups: dict[tuple[str, ...], list[tuple[Record, Record]]] = {}
    for record, leak in found:
        groups.setdefault(tuple(leak[name] for name in fields), []).append(
            (record, leak)
        )
    lines = []
    for (match, reason, *issue), members in groups.items():
        because = f"{reason} ({issue[0]})" if issue and issue[0] else reason
        where = [record["owner"] for record, _ in members]
        owners = list(dict.fromkeys(where))
        more = f" and {len(owners) - 1} more" if len(owners) > 1 else ""
        what = match or members[0][1]["name"]
        lines.append(printable(f"{word}: {what} in {owners[0]}{more}: {because}"))
    return lines


def unmatched(
    rules: Iterable[Mapping[str, Any]], records: Sequence[Record]
) -> list[Record]:
    """The rules that allowed nothing, each once.

    Args:
        rules: ``match`` and ``source`` of those of the run.
        records: With those of its tests, and with what was allowed.
    """
    used = {(leak["match"], leak["source"]) for _, leak in entries(records, "allowed")}
    offered = [*rules, *(rule for record in records for rule in record["rules"])]
    left = dict.fromkeys((rule["match"], rule["source"]) for rule in offered)
    return [
        {"match": match, "source": source}
        for match, source in left
        if (match, source) not in used
    ]


def unmatched_lines(rules: Sequence[Record]) -> list[str]:
    """A warning for each."""
    return [
        printable(
            f"warning: {rule['match']!r} of {rule['source']} allowed nothing in this "
            "run; remove it if it is not needed any more"
        )
        for rule in rules
    ]
