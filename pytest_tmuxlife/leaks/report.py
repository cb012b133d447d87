"""The verdict as text: pure functions from values to lines."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_tmuxlife.containment.processes import ProcessInfo
from pytest_tmuxlife.leaks.drawing import Node, draw
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.model import Finding, Verdict

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.known import KnownLeak
from pytest_tmuxlife.leaks.others import draw_others
from pytest_tmuxlife.leaks.particulars import condition, details, found_by, printable

_NAMES_SHOWN = 4
# A fork bomb must not bury the rest of the report.
_DESCRIBED = 30
_LISTED = 200


def headline(finding: Finding) -> str:
    """What outlived what, in one line."""
    parts = [_headline_of_server(one) for one in finding.verdicts if one.leaks]
    if finding.leaks:
        parts.append(f"{count(finding.leaks)} outlived {_OUTLIVED[finding.scope]}")
    parts += [_did_not_happen(known) for known in finding.missing]
    parts += [printable(error) for error in finding.errors]
    if not parts and finding.all_known:
        parts.append(f"{count([leak for leak, _ in finding.all_known])}, known")
    return "; ".join(parts)


_OUTLIVED = {"test": "the test", "fixture": "the fixture", "run": "the run"}


def _headline_of_server(verdict: Verdict) -> str:
    if verdict.is_shared:
        return _headline_of_shared(verdict)
    known = [leak for leak, _ in verdict.known]
    what = count(verdict.leaks) if verdict.leaks else f"{count(known)}, known,"
    return f"{what} outlived tmux server {verdict.server_pid}"


def _did_not_happen(known: KnownLeak) -> str:
    what = f"known leak {known.pattern.pattern!r} did not happen"
    return printable(f"{what}; remove its marker tmux_known_leak")


def _headline_of_shared(verdict: Verdict) -> str:
    leaks = verdict.leaks or [leak for leak, _ in verdict.known]
    left = [leak for leak in leaks if not leak.is_missing]
    ended = [leak for leak in leaks if leak.is_missing]
    server = [leak for leak in ended if leak.kind == "tmux server"]
    if server:
        parts = [f"the test {leak.why} ({verdict.server_pid})" for leak in server]
        return "; ".join(parts + ([f"{count(left)} outlived it"] if left else []))
    where = f"on the shared tmux server {verdict.server_pid}"
    parts = [f"{count(left)} left {where}"] if left else []
    if ended:
        parts.append(f"{count(ended)} {where} ended by a test that had not made it")
    return "; ".join(parts)


def count(leaks: Sequence[Leak]) -> str:
    """How many there are of each kind: ``2 processes and 1 zombie``."""
    kinds: dict[str, int] = {}
    for leak in leaks:
        kinds[leak.kind] = kinds.get(leak.kind, 0) + 1
    parts = [f"{number} {plural(kind, number)}" for kind, number in kinds.items()]
    return " and ".join(parts) if parts else "nothing"


def plural(kind: str, number: int) -> str:
    """The word for so many of a kind."""
    if number == 1 or kind == "shared memory":
        return kind
    return kind + ("es" if kind.endswith("s") else "s")


def report(finding: Finding) -> str:
    """The whole block that is printed for a test, a fixture or the run."""
    word = "LEAKED" if finding.all_leaks else "tmux leaks of"
    lines = [f"{word} {printable(finding.owner)}"]
    shown = [one for one in finding.verdicts if one.leaks or one.known]
    blocks = [report_server(verdict) for verdict in shown or finding.verdicts]
    if finding.leaks or finding.known:
        blocks.append(_report_others(finding))
    if finding.missing:
        blocks.append([line for one in finding.missing for line in _missing(one)])
    if finding.errors:
        blocks.append([printable(error) for error in finding.errors])
    for number, block in enumerate(blocks):
        lines += [""] * bool(number) + block
    return "\n".join(lines)


def _missing(known: KnownLeak) -> list[str]:
    return [_did_not_happen(known), printable(f"it was accepted because: {known}")]


def _known(pairs: Sequence[tuple[Leak, KnownLeak]]) -> list[str]:
    return [printable(f"known: {leak.name}: {known}") for leak, known in pairs]


def _report_others(finding: Finding) -> list[str]:
    """What was left beside tmux servers: a line for each, then the advice."""
    if not finding.leaks:
        return _known(finding.known)
    lines = [f"{count(finding.leaks)} outlived {_OUTLIVED[finding.scope]}", ""]
    lines += draw_others(finding.leaks[:_LISTED])
    hidden = len(finding.leaks) - _LISTED
    if hidden > 0:
        lines.append(f"... and {hidden} more")
    lines += ["", *_advice(finding.leaks), *_known(finding.known)]
    for leak, given in finding.ignored:
        lines.append(printable(f"allowed: {leak.name}: {given.reason}"))
    return lines


def report_server(verdict: Verdict) -> list[str]:
    """The block of one tmux server: headline, tree, advice."""
    limited = f" ({verdict.limited_by})" if verdict.limited_by else ""
    since = "after kill-server"
    if verdict.goes_on or verdict.server_pid not in verdict.tree.processes:
        since = "at the end of the test"
    looked = f"looked for {verdict.waited:.1f} s {since}{limited}"
    lines = [f"{_headline_of_server(verdict)}; {looked}", ""]
    if not verdict.goes_on or verdict.tree.processes:
        lines += _Tree(verdict).lines()
    lines += [printable(str(leak)) for leak in verdict.leaks if leak.process is None]
    lines.append("")
    lines += _advice(verdict.leaks) + _known(verdict.known)
    for process, given in verdict.ignored:
        lines.append(f"allowed: {_named(process)}: {printable(given.reason)}")
    return lines


def _advice(leaks: Sequence[Leak]) -> list[str]:
    """Each piece of advice once, with those that it is for."""
    names: dict[str, list[str]] = {}
    for leak in leaks:
        names.setdefault(leak.advice, []).append(printable(leak.name))
    return [
        f"{_enumerated(whom)}: {printable(advice)}" for advice, whom in names.items()
    ]


def _enumerated(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def signal_name(number: int) -> str:
    """``SIGHUP`` for 1; the number itself where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _named(process: ProcessInfo) -> str:
    return printable(f"{process.label} {process.pid}")


class _Tree:
    """The noted tree, with survivors marked and newcomers put in.

    A survivor whose parent is gone hangs below the pane whose Unix session it
    is in, where that is known.
    """

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        known = [leak for leak, _ in verdict.known]
        self.known = {leak.process.pid for leak in known if leak.process}
        self.leaks: Mapping[int, Leak] = {
            leak.process.pid: leak for leak in [*verdict.leaks, *known] if leak.process
        }
        self.described = set(list(self.leaks)[:_DESCRIBED])
        self.allowed = {info.pid for info, _ in verdict.ignored}
        self.processes: dict[int, ProcessInfo] = dict(verdict.tree.processes)
        for leak in list(self.leaks.values())[:_LISTED]:
            if leak.process is not None and leak.process not in verdict.tree:
                self.processes[leak.process.pid] = leak.process
        self.nodes = {
            pid: self._node(info)
            for pid, info in self.processes.items()
            if pid != verdict.server_pid
        }

    def lines(self) -> list[str]:
        """The server first, then orphans of whom no pane is known."""
        root = self._server()
        panes: dict[int, Node] = {}
        orphans = []
        for pid, node in self.nodes.items():
            info = self.processes[pid]
            if info.ppid == self.verdict.server_pid:
                root.children.append(node)
            elif info.ppid in self.nodes:
                self.nodes[info.ppid].children.append(node)
            elif pid != info.sid in self.nodes and info.sid in self.verdict.pane_ids:
                self.nodes[info.sid].children.append(node)
            elif info.sid in self.verdict.pane_ids:
                if info.sid not in panes:
                    panes[info.sid] = self._lost_pane(info.sid)
                panes[info.sid].children.append(node)
            else:
                orphans.append(node)
        root.children += panes.values()
        lines = draw(root)
        if orphans:
            top = Node("orphans, adopted when their parents were gone:", "")
            top.children = orphans
            lines += draw(top)
        hidden = len(self.leaks) - _LISTED
        if hidden > 0:
            lines.append(f"... and {hidden} more that are not drawn")
        return lines

    def _server(self) -> Node:
        pid = self.verdict.server_pid
        info = self.processes.get(pid)
        if info is None:
            return Node(f"tmux: server {pid}", "gone before the test ended")
        return self._node(info)

    def _lost_pane(self, pid: int) -> Node:
        pane = self.verdict.pane_ids[pid]
        return Node(f"pane {pane} (process {pid})", "gone before the test ended")

    def _node(self, info: ProcessInfo) -> Node:
        leak = self.leaks.get(info.pid)
        lines: list[str] = []
        if leak is not None and info.pid in self.described:
            above = self.leaks.get(info.ppid)
            lines = list(details(leak, above, self.verdict.tree.root))
        return Node(
            self._title(info),
            self._state(info, leak),
            [printable(line) for line in lines],
            matters=leak is not None or info.pid in self.allowed,
        )

    def _title(self, info: ProcessInfo) -> str:
        if info.pid == self.verdict.server_pid:
            return f"tmux: server {info.pid}"
        pane = ""
        if info.ppid == self.verdict.server_pid and info.terminal:
            pane = f" (pane {self.verdict.pane_ids.get(info.pid, info.terminal)})"
        leak = self.leaks.get(info.pid)
        # It may have been noted between its fork and its exec.
        return _named((leak and leak.process) or info) + pane

    def _state(self, info: ProcessInfo, leak: Leak | None) -> str:
        if leak is not None:
            known = "known: " if info.pid in self.known else ""
            why = f"{known}{leak.why}{found_by(leak)}{self._origin(info, leak)}"
            return printable(f"{condition(leak)}   {why}")
        if info.pid in self.allowed:
            return "alive, allowed"
        if self.verdict.goes_on:
            return "still there"
        status = self.verdict.statuses.get(info.pid)
        return f"gone, {signal_name(-status)}" if status and status < 0 else "gone"

    def _origin(self, info: ProcessInfo, leak: Leak) -> str:
        """Who started it, unless the tree itself shows that."""
        is_shown = info.ppid in self.processes or info.sid in self.verdict.pane_ids
        if is_shown or not leak.started_by:
            return ""
        return f", started by {leak.started_by}"
