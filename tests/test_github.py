"""Annotations and the job summary on GitHub Actions."""

from __future__ import annotations

from pathlib import Path

import pytest
from findings import SHELL, leak, process, verdict
from inner import Inner

from pytest_tmuxlife.leaks.github import annotation, path_in_workspace, table
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.model import Finding
from pytest_tmuxlife.leaks.record import Record, as_record

LEAKING = """
import pytest

def test_leaking(tmux_pane, leave):
    leave(tmux_pane)

@pytest.mark.tmux_known_leak(match="sleep 2000", reason="to be mended", issue="T-7")
def test_known(tmux_pane, leave):
    leave(tmux_pane, seconds=2000)
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


def odd_record(text: str) -> Record:
    found = Leak("descriptor", text, (), None, text, "", target=text)
    return as_record(Finding(text, leaks=[found]), file=text, line=7)


# -- text -----------------------------------------------------------------------


def test_annotation_escapes_what_would_end_it() -> None:
    """Colons and commas in properties; percent signs and line ends everywhere."""
    command = annotation(odd_record("100%,a:b\r\nc"), "dir,a:b/100%.py")
    properties, _, message = command.removeprefix("::error ").partition("::")
    assert properties == (
        "file=dir%2Ca%3Ab/100%25.py,line=7,title=tmux leak%3A 100%25%2Ca%3Ab%0D%0Ac"
    )
    assert message == (
        "1 descriptor outlived the test%0A"
        "descriptor 100%25,a:b\\r\\nc: 100%25,a:b\\r\\nc"
    )


def test_annotation_of_what_is_only_warned_of_is_a_warning() -> None:
    found = Leak("descriptor", "still open", (), None, None, "", target="3w /tmp/log")
    record = as_record(Finding("the run", "run", leaks=[found], level="warn"))
    assert annotation(record).startswith("::warning title=tmux leak%3A the run::1 desc")


def test_annotation_names_ten_leaks() -> None:
    leaks = [leak(process(pid, SHELL)) for pid in range(20, 40)]
    record = as_record(Finding("test_it", verdicts=[verdict(*leaks)]))
    lines = annotation(record).split("%0A")
    assert len(lines) == 12
    assert lines[-1] == "... and 10 more"


@pytest.mark.parametrize(
    ("workspace", "expected"),
    [
        ("/w/repo", "sub/test_a.py"),
        ("/w/rep", "/w/repo/sub/test_a.py"),
        ("", "/w/repo/sub/test_a.py"),
    ],
)
def test_file_is_named_as_in_the_workspace(workspace: str, expected: str) -> None:
    environ = {"GITHUB_WORKSPACE": workspace}
    assert path_in_workspace("/w/repo/sub/test_a.py", environ) == expected


def test_table_cannot_be_broken_by_what_is_in_it() -> None:
    """A pipe, markup and a line end stay inside their cell."""
    text = table([odd_record("a|b`c`<img>\n[x](y) *z*")])
    row = text.strip().splitlines()[-1]
    assert row.replace("\\|", "").count("|") == 6
    assert "<" not in row
    assert r"\`c\`&lt;img&gt;\\n\[x\]\(y\) \*z\*" in row


def test_table_of_a_clean_run_is_empty() -> None:
    assert table([]) == ""


# -- in a run -------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_run_on_github_prints_each_finding_once(
    inner: Inner, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    """By the controller, whoever found it; paths are those of the workspace."""
    summary = inner.pytester.path / "summary.md"
    summary.write_text("# of a step before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(inner.pytester.path.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = inner.run(LEAKING, workers)
    [line] = [line for line in result.outlines if "::error" in line]
    name = inner.pytester.path.name
    assert line.startswith(
        f"::error file={name}/test_inner.py,line=3,"
        "title=tmux leak%3A test_inner.py%3A%3Atest_leaking::1 process outlived"
    )
    written = summary.read_text()
    assert written.startswith("# of a step before\n### tmux leaks\n")
    assert "1 leak in 1 test: 1 process; 1 known leak" in written
    assert written.count("sleep 1000") == 1
    assert "| known: to be mended T\\-7 |" in written


def test_run_elsewhere_prints_no_command(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = inner.pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = inner.run(LEAKING)
    result.stdout.no_fnmatch_line("*::error*")
    assert not summary.exists()


def test_summary_file_that_cannot_be_written_is_only_said(
    inner: Inner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    result = inner.run(LEAKING)
    result.stdout.fnmatch_lines(["GITHUB_STEP_SUMMARY: *Is a directory*"])
    result.assert_outcomes(passed=2, failed=1)
