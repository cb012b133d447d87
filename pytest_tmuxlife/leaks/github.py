"""What GitHub Actions shows: annotations, and a table for the job's summary.

Source: docs.github.com, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_tmuxlife.leaks.particulars import printable, shortened
from pytest_tmuxlife.leaks.record import Record
from pytest_tmuxlife.leaks.summary import total_line

_NAMED = 10
# A summary may have 1 MiB.
_ROWS = 200
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def annotation(record: Record, file: str | None = None) -> str:
    """The workflow command for one finding, in one line.

    Args:
        record: Of the finding.
        file: Its owner's, as GitHub knows it; None if the owner has none.
    """
    level = "error" if record["fails"] else "warning"
    properties = {"title": f"tmux leak: {record['owner']}"}
    if file is not None:
        properties = {"file": file, "line": str(record["line"] or 1), **properties}
    given = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return f"::{level} {given}::{_data(_message(record))}"


def _message(record: Record) -> str:
    leaks = [leak for leak in record["leaks"] if leak["status"] == "leak"]
    lines = [record["headline"]]
    lines += [f"{leak['name']}: {leak['why']}" for leak in leaks[:_NAMED]]
    if len(leaks) > _NAMED:
        lines.append(f"... and {len(leaks) - _NAMED} more")
    return "\n".join(map(printable, lines))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def path_in_workspace(path: str, environ: Mapping[str, str]) -> str:
    """An absolute path as GitHub knows it: relative to the checked-out workspace."""
    workspace = environ.get("GITHUB_WORKSPACE", "")
    if workspace and Path(path).is_relative_to(workspace):
        return os.path.relpath(path, workspace)
    return path


def table(records: Sequence[Record]) -> str:
    """Markdown: the totals, and a row for each leak. "" if nothing leaked."""
    rows = list(_rows(records))
    if not rows:
        return ""
    lines = ["### tmux leaks", "", _text(total_line(records)), ""]
    lines += [_row(_HEADER), "|---" * len(_HEADER) + "|"]
    lines += [_row([_text(cell) for cell in cells]) for cells in rows[:_ROWS]]
    if len(rows) > _ROWS:
        lines += ["", f"... and {len(rows) - _ROWS} more"]
    return "\n".join(lines) + "\n\n"


_HEADER = ("left by", "what", "why", "command or place", "verdict")


def _rows(records: Sequence[Record]) -> Iterator[list[str]]:
    for record in records:
        for leak in record["leaks"]:
            if leak["status"] == "allowed":
                continue
            process = leak["process"]
            command = " ".join(process["command"]) if process else ""
            verdict = "leaked" if record["level"] == "fail" else "warning"
            if leak["status"] == "known":
                verdict = f"known: {leak['reason']} {leak['issue']}".rstrip()
            place = shortened(command) or leak["opened_at"] or ""
            yield [record["owner"], leak["name"], leak["why"], place, verdict]
        for known in record["missing"]:
            what = f"known leak {known['match']}"
            yield [record["owner"], what, "did not happen", "", known["issue"]]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Plain text in Markdown, in one line."""
    escaped = _MARKUP.sub(r"\\\1", printable(text))
    return "".join(_ENTITIES.get(char, char) for char in escaped)
