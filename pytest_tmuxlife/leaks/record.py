"""A finding as plain values: what travels between processes and into files.

Texts may hold any bytes of a command line or path; here they are escaped, so
that every encoding can hold them. The shape is that of ``report.schema.json``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_tmuxlife.leaks import report as text
from pytest_tmuxlife.leaks.particulars import encodable

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.processes import ProcessInfo
    from pytest_tmuxlife.leaks.known import KnownLeak
    from pytest_tmuxlife.leaks.leak import Descriptor, Leak
    from pytest_tmuxlife.leaks.model import Finding
    from pytest_tmuxlife.leaks.rules import Permission

Record = dict[str, Any]


def as_record(
    finding: Finding, *, file: str | None = None, line: int | None = None
) -> Record:
    """The finding as a dict of texts, numbers, lists and dicts.

    Args:
        finding: What was left.
        file: Where its owner is defined, below pytest's root directory.
        line: In that file, from 1.
    """
    entries = []
    for verdict in finding.verdicts:
        server = verdict.server_pid
        entries += [_leak(leak, server) for leak in verdict.leaks]
        entries += [_known(leak, known, server) for leak, known in verdict.known]
        entries += [
            _allowed_process(one, given, server) for one, given in verdict.ignored
        ]
    entries += [_leak(leak) for leak in finding.leaks]
    entries += [_known(leak, known) for leak, known in finding.known]
    entries += [_allowed(leak, given) for leak, given in finding.ignored]
    return {
        "owner": encodable(finding.owner),
        "scope": finding.scope,
        "file": None if file is None else encodable(file),
        "line": line,
        "level": finding.level,
        "fails": finding.is_failing,
        "headline": encodable(text.headline(finding)),
        "report": encodable(text.report(finding)),
        "leaks": entries,
        "missing": [_expected(known) for known in finding.missing],
        "rules": [_rule(rule.pattern.pattern, rule.source) for rule in finding.rules],
        "errors": [encodable(error) for error in finding.errors],
        "rerun": False,
        "cut_short": False,
    }


def _leak(leak: Leak, server: int | None = None) -> Record:
    return {
        "status": "leak",
        "kind": leak.kind,
        "name": encodable(leak.name),
        "why": encodable(leak.why),
        "seen_by": list(leak.seen_by),
        "advice": encodable(leak.advice),
        "server": server,
        "process": _process(leak.process) if leak.process else None,
        "target": encodable(leak.target),
        "opened_at": None if leak.opened_at is None else encodable(leak.opened_at),
        "started_by": encodable(leak.started_by),
        "cwd": encodable(leak.cwd),
        "memory": leak.memory,
        "user": encodable(leak.user),
        "descriptors": [_descriptor(one) for one in leak.descriptors],
    }


def _known(leak: Leak, known: KnownLeak, server: int | None = None) -> Record:
    return {**_leak(leak, server), "status": "known", **_expected(known)}


def _expected(known: KnownLeak) -> Record:
    return {
        "match": encodable(known.pattern.pattern),
        "reason": encodable(known.reason),
        "issue": encodable(known.issue),
        "strict": known.strict,
    }


def _allowed_process(process: ProcessInfo, given: Permission, server: int) -> Record:
    return {
        "status": "allowed",
        "kind": "zombie" if process.is_zombie else "process",
        "name": encodable(f"{process.label} {process.pid}"),
        "server": server,
        "process": _process(process),
        **_permission(given),
    }


def _allowed(leak: Leak, given: Permission) -> Record:
    return {
        "status": "allowed",
        "kind": leak.kind,
        "name": encodable(leak.name),
        "server": None,
        "process": _process(leak.process) if leak.process else None,
        **_permission(given),
    }


def _permission(given: Permission) -> Record:
    return {
        "reason": encodable(given.reason),
        "kept": given.keep,
        **_rule(given.rule, given.source),
    }


def _rule(pattern: str, source: str) -> Record:
    return {"match": encodable(pattern), "source": encodable(source)}


def _process(process: ProcessInfo) -> Record:
    terminal = process.terminal
    return {
        "pid": process.pid,
        "ppid": process.ppid,
        "pgid": process.pgid,
        "sid": process.sid,
        "name": encodable(process.name),
        "command": [encodable(argument) for argument in process.command],
        "state": process.state,
        "terminal": None if terminal is None else encodable(terminal),
        "start_ticks": process.start_ticks,
        "age": round(process.age, 3),
    }


def _descriptor(descriptor: Descriptor) -> Record:
    return {
        "number": descriptor.number,
        "mode": descriptor.mode,
        "target": encodable(descriptor.target),
    }
