"""What a run leaves for others to read: the JSON report, and GitHub's annotations."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_tmuxlife.hooks.stash import SETTINGS_KEY

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.record import Record

_REPORT_OPTION = "--tmux-leak-report"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is known of a run at its end.

    Attributes:
        records: The findings of all its processes.
        unmatched: Rules that allowed nothing, though they should have.
        unverified: What could not be verified, by node id, with the reason.
        workers: How many xdist workers there were.
        is_complete: Every test that there is was run.
    """

    records: list[Record]
    unmatched: list[Record]
    unverified: Mapping[str, str]
    workers: int
    is_complete: bool


class Publisher:
    """Writes the files that were asked for, and makes the annotations.

    Made when the run begins, for the report says when that was. One in an
    xdist worker is not asked to publish.

    Args:
        config: Of pytest.

    Attributes:
        notes: Lines on what was written, or why it was not, once published.

    Raises:
        pytest.UsageError: The report cannot be written where it was asked for.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started_at = datetime.now(UTC)
        self._clock = time.monotonic()
        self._report_path = None if _is_worker(config) else _report_path(config)
        self._annotations: list[str] = []
        self.notes: list[str] = []

    def publish(self, session: pytest.Session, found: Gathered) -> None:
        """Files and annotations, which need no terminal.

        A report that cannot be written fails the run.
        """
        try:
            if self._report_path is not None and not self._config.option.collectonly:
                self._write_report(self._report_path, session, found)
        except OSError as error:
            self.notes.append(f"{_REPORT_OPTION}={self._report_path}: {error}")
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if os.environ.get("GITHUB_ACTIONS") == "true" and found.records:
            self._annotate(found.records, os.environ)

    def take_annotations(self) -> list[str]:
        """Workflow commands to print; each is handed out once."""
        taken, self._annotations = self._annotations, []
        return taken

    def _write_report(
        self, path: str, session: pytest.Session, found: Gathered
    ) -> None:
        from pytest_tmuxlife.leaks import document

        run = self._describe(session, found)
        document.write(path, document.document(run, found.records))
        self.notes.append(f"tmux leak report: {path}")

    def _describe(self, session: pytest.Session, found: Gathered) -> Record:
        """What the JSON report says of the run itself."""
        from pytest_tmuxlife import __version__
        from pytest_tmuxlife.containment import layers
        from pytest_tmuxlife.leaks.summary import totals
        from pytest_tmuxlife.terminal.tmux.version import version_of

        settings = self._config.stash[SETTINGS_KEY]
        return {
            "started_at": self._started_at.isoformat(timespec="milliseconds"),
            "duration": round(time.monotonic() - self._clock, 3),
            "exit_status": int(session.exitstatus),
            "complete": found.is_complete,
            "versions": {
                "pytest_tmuxlife": __version__,
                "pytest": pytest.__version__,
                "python": ".".join(map(str, sys.version_info[:3])),
            },
            "tmux": {
                "path": settings.tmux,
                "version": version_of(settings.tmux) if settings.tmux else None,
                "engine": settings.engine,
            },
            "layers": layers.active(settings.without),
            "workers": found.workers,
            "totals": totals(found.records),
            "unmatched_rules": found.unmatched,
            "unverified": [
                {"owner": owner, "reason": reason}
                for owner, reason in found.unverified.items()
            ],
        }

    def _annotate(self, records: list[Record], environ: Mapping[str, str]) -> None:
        """Make GitHub's annotations, and add to the summary of its job."""
        from pytest_tmuxlife.leaks import github

        for record in records:
            if record["headline"] and (record["fails"] or has_leak(record)):
                file = record["file"]
                if file is not None:
                    path = os.path.normpath(os.path.join(self._config.rootpath, file))
                    file = github.path_in_workspace(path, environ)
                self._annotations.append(github.annotation(record, file))
        path = environ.get("GITHUB_STEP_SUMMARY", "")
        table = github.table(records)
        if path and table:
            try:
                with open(path, "a", encoding="utf-8") as file:
                    file.write(table)
            except OSError as error:
                self.notes.append(f"GITHUB_STEP_SUMMARY: {error}")


def has_leak(record: Record) -> bool:
    """Something of a finding is neither allowed nor known."""
    return any(leak["status"] == "leak" for leak in record["leaks"])


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _report_path(config: pytest.Config) -> str | None:
    """Where the JSON report goes; its directory is there.

    Raises:
        pytest.UsageError: It cannot be written there.
    """
    given = config.getoption("tmux_leak_report")
    if given is None:
        return None
    if not given:
        raise pytest.UsageError(f"{_REPORT_OPTION}: expected the path of a file")
    from pytest_tmuxlife.leaks.document import prepare

    # The tested code may change the directory.
    path = os.path.join(config.invocation_params.dir, given)
    try:
        prepare(path)
    except OSError as error:
        reason = error.strerror or error
        raise pytest.UsageError(
            f"{_REPORT_OPTION}={given}: cannot be written: {reason}; expected the path "
            "of a file"
        ) from None
    return path
