"""The JSON report of a run: its shape is ``report.schema.json`` beside this."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_tmuxlife.containment.files import write_whole
from pytest_tmuxlife.leaks.record import Record

# Of the shape; raised when a field changes its meaning or goes away.
SCHEMA = 1


def document(run: Mapping[str, Any], records: Sequence[Record]) -> Record:
    """The whole report, ready for `write`."""
    return {"schema": SCHEMA, "run": dict(run), "findings": list(records)}


def prepare(path: str) -> None:
    """Make the directory of the report, and see that the file can be made in it.

    Raises:
        OSError: It cannot; nothing but directories was made.
    """
    directory = os.path.dirname(os.path.abspath(path))
    os.makedirs(directory, exist_ok=True)
    if os.path.isdir(path):
        raise IsADirectoryError(21, "is a directory", path)
    if not _is_special(path):
        with tempfile.TemporaryFile(dir=directory):
            pass


def write(path: str, content: Record) -> None:
    """Put the report in place, whole or not at all.

    A device or FIFO is written to as it is.

    Raises:
        OSError: It cannot be written; an older report stays as it was.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if _is_special(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    write_whole(os.path.realpath(path), text)


def _is_special(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
