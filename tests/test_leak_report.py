"""``--tmux-leak-report``: what was left as JSON, and in JUnit's XML."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from inner import Inner
from runs import PytestProcess

import pytest_tmuxlife
from pytest_tmuxlife.leaks.document import SCHEMA, prepare, write

SCHEMA_FILE = Path(pytest_tmuxlife.__file__).parent / "leaks" / "report.schema.json"
EVERYTHING = """
import pytest

def test_leaking(tmux_pane, leave):
    leave(tmux_pane)

@pytest.mark.tmux_known_leak(match="sleep 2000", reason="to be mended", issue="T-7")
def test_known(tmux_pane, leave):
    leave(tmux_pane, seconds=2000)

def test_allowed(tmux_pane, leave, tmux_leaks):
    tmux_leaks.ignore("sleep 3000", reason="shared")
    leave(tmux_pane, seconds=3000)

@pytest.mark.tmux_known_leak(match="sleep", reason="to be mended")
def test_mended(tmux_pane):
    pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


def strict(schema: Any) -> Any:
    """The schema without room for fields that it does not name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    if "properties" in closed and isinstance(closed["properties"], dict):
        closed.setdefault("additionalProperties", False)
    return closed


def read(path: Path) -> Any:
    """A report, after its schema has accepted it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    schema = json.loads(SCHEMA_FILE.read_text())
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    for one in (schema, strict(schema)):
        jsonschema.Draft202012Validator.check_schema(one)
        jsonschema.validate(
            content, one, cls=jsonschema.Draft202012Validator, format_checker=checker
        )
    return content


# -- what is in it ----------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_report_has_what_each_test_left(inner: Inner, workers: int) -> None:
    """The same from one process and from two workers."""
    result = inner.run(EVERYTHING, "--tmux-leak-report=new/report.json", f"-n{workers}")
    report = read(inner.pytester.path / "new" / "report.json")
    run, findings = report["run"], report["findings"]
    assert (report["schema"], run["exit_status"], run["workers"]) == (
        SCHEMA,
        1,
        workers,
    )
    assert run["totals"] == {
        "leaks": 1,
        "kinds": {"process": 1},
        "owners": {"test": 1},
        "known": 1,
        "allowed": 1,
        "missing": 1,
    }
    by_test = {one["owner"].rpartition("_")[2]: one for one in findings}
    assert sorted(by_test) == ["allowed", "known", "leaking", "mended"]
    assert {name: one["fails"] for name, one in by_test.items()} == {
        "leaking": True,
        "known": False,
        "allowed": False,
        "mended": True,
    }
    assert (by_test["leaking"]["file"], by_test["leaking"]["line"]) == (
        "test_inner.py",
        3,
    )
    [left] = by_test["leaking"]["leaks"]
    assert left["process"]["command"] == ["sleep", "1000"]
    assert left["process"]["pid"] in [one.pid for one in inner.survivors]
    assert left["why"] == "ignores SIGHUP"
    [known] = by_test["known"]["leaks"]
    assert (known["status"], known["issue"]) == ("known", "T-7")
    [allowed] = by_test["allowed"]["leaks"]
    assert (allowed["status"], allowed["reason"]) == ("allowed", "shared")
    assert by_test["mended"]["missing"][0]["match"] == "sleep"
    result.stdout.fnmatch_lines(["tmux leak report: */new/report.json"])


def test_report_of_a_clean_run_says_so(inner: Inner) -> None:
    inner.run("def test_it(tmux_pane): pass", "--tmux-leak-report=report.json")
    report = read(inner.pytester.path / "report.json")
    assert report["findings"] == []
    assert report["run"]["complete"]
    assert report["run"]["tmux"]["version"].startswith("tmux ")


def test_report_names_rules_that_allowed_nothing(inner: Inner) -> None:
    rule = ["-o", "tmux_leak_ignore=ssh-agent # shared"]
    for arguments in (["-n1"], ["-n1", "-k", "test_it"]):
        source = "def test_it(tmux_pane): pass\ndef test_other(): pass"
        inner.run(source, "--tmux-leak-report=report.json", *rule, *arguments)
        run = read(inner.pytester.path / "report.json")["run"]
        complete = "-k" not in arguments
        expected = [{"match": "ssh-agent", "source": "tmux_leak_ignore"}]
        assert run["complete"] is complete
        assert run["unmatched_rules"] == (expected if complete else [])


def test_odd_bytes_of_a_command_line_reach_the_report(inner: Inner) -> None:
    """Also through a worker, whose channel takes no odd text."""
    source = r"""
    def test_it(tmux_pane, leave):
        leave(tmux_pane, name=r"$'a\xffb'")
    """
    inner.run(source, "--tmux-leak-report=report.json", "-n1")
    [finding] = read(inner.pytester.path / "report.json")["findings"]
    [left] = finding["leaks"]
    assert left["process"]["command"] == ["a\\xffb", "1000"]


def test_report_is_written_when_the_run_is_cut_short(tmp_path: Path) -> None:
    """C-c in a test: what that one left is in it too."""
    source = """
def test_it(stubborn, ready):
    server = stubborn()
    ready()
    server.cmd("wait-for", "never", timeout=60)
"""
    arguments = ["--tmux-leak-report=report.json", "-o", "tmux_leak_grace=0.6"]
    with PytestProcess(tmp_path, source, *arguments) as run:
        run.wait_ready()
        run.signal(signal.SIGINT)
        assert run.wait() == pytest.ExitCode.INTERRUPTED
        report = read(tmp_path / "report.json")
    [finding] = report["findings"]
    assert (finding["cut_short"], len(finding["leaks"])) == (True, 3)
    assert (report["run"]["exit_status"], report["run"]["complete"]) == (2, False)


def test_leak_of_an_attempt_that_had_failed_is_not_lost(inner: Inner) -> None:
    """pytest-rerunfailures drops the teardown of an attempt whose call failed."""
    source = """
    def test_it(tmux_pane, leave, request):
        if not (request.path.parent / "survivors").exists():
            leave(tmux_pane)
            assert False
    """
    for workers in ("-n0", "-n1"):
        (inner.pytester.path / "survivors").unlink(missing_ok=True)
        result = inner.run(
            source, "--reruns=1", "--tmux-leak-report=report.json", workers
        )
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            ["LEAKED * (in an attempt that was rerun; it fails the run)"]
        )
        [finding] = read(inner.pytester.path / "report.json")["findings"]
        assert finding["rerun"]
        inner.assert_all_gone(1)


# -- where it goes ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "expected the path of a file"),
        (".", "is a directory"),
        ("conftest.py/report.json", "File exists"),
        ("/proc/none/report.json", "No such file or directory"),
    ],
)
def test_path_that_cannot_be_written_stops_the_run(
    inner: Inner, given: str, reason: str
) -> None:
    """Before anything runs, and by name."""
    result = inner.run(
        "def test_it(): print('IT RAN')", f"--tmux-leak-report={given}", "-s"
    )
    result.stderr.fnmatch_lines([f"ERROR: --tmux-leak-report*{reason}*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.no_fnmatch_line("*IT RAN*")


def test_path_is_that_of_the_start_whatever_the_directory_is_then(
    inner: Inner,
) -> None:
    source = "import os\ndef test_it(tmp_path): os.chdir(tmp_path)"
    inner.run(source, "--tmux-leak-report=report.json")
    assert (inner.pytester.path / "report.json").exists()


def test_report_that_cannot_be_written_in_the_end_fails_the_run(inner: Inner) -> None:
    """Its directory was removed: said in the summary, and no internal error."""
    source = """
    import os
    def test_it(request):
        os.rmdir(request.path.parent / "new")
    """
    result = inner.run(source, "--tmux-leak-report=new/report.json")
    result.stdout.fnmatch_lines(
        ["--tmux-leak-report=*new/report.json: *No such file or directory*"]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_report_is_replaced_whole(tmp_path: Path) -> None:
    """A reader of the old one keeps it; nothing else stays in the directory."""
    path = tmp_path / "report.json"
    path.write_text("old")
    with path.open() as reader:
        write(str(path), {"schema": 1})
        assert reader.read() == "old"
    assert json.loads(path.read_text()) == {"schema": 1}
    assert os.listdir(tmp_path) == ["report.json"]


def test_report_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write(str(path), {"schema": "\ud800"})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_fifo_is_written_to_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    prepare(str(path))
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write(str(path), {"schema": 1})
    assert json.loads(os.read(reader, 1000)) == {"schema": 1}
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


# -- JUnit ------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_junit_has_an_error_and_properties(inner: Inner, family: str) -> None:
    source = r"""
    def test_it(tmux_pane, leave):
        leave(tmux_pane, name=r"$'a\xff\x1bb'")
    """
    inner.run(source, "--junit-xml=junit.xml", "-o", f"junit_family={family}")
    tree = ElementTree.parse(inner.pytester.path / "junit.xml")
    [case] = tree.iter("testcase")
    [error] = case.iter("error")
    assert "1 process outlived tmux server" in error.attrib["message"]
    assert "LEAKED test_inner.py::test_it" in (error.text or "")
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["tmux_leaks"] == "1"
    assert "1 process outlived" in (properties["tmux_leak_headline"] or "")
    assert "ignores SIGHUP" in (properties["tmux_leak_1"] or "")


def test_junit_has_a_test_case_for_what_belongs_to_no_test(inner: Inner) -> None:
    """A fixture of wider scope is named itself."""
    inner.add_to_conftest(
        """
        from findings import SHELL, leak, process, verdict
        from pytest_tmuxlife.leaks.model import Finding

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish(session):
            config = session.config
            if config.getoption("numprocesses") and not hasattr(config, "workerinput"):
                return
            output = config.pluginmanager.get_plugin("tmuxlife-output")
            found = leak(process(20, SHELL))
            owner = "fixture agent (conftest.py:12)"
            output.report_wider(Finding(owner, "fixture", [verdict(found)]))
        """
    )
    tests = Path(__file__).parent
    for workers in ("-n0", "-n1"):
        result = inner.run(
            "def test_it(): pass",
            "--junit-xml=junit.xml",
            "--tmux-leak-report=report.json",
            "-o",
            f"pythonpath={tests}",
            workers,
        )
        tree = ElementTree.parse(inner.pytester.path / "junit.xml")
        [_, case] = tree.iter("testcase")
        assert "fixture agent" in (case.get("name") or "")
        assert "LEAKED fixture agent" in (case.findtext("error") or "")
        [finding] = read(inner.pytester.path / "report.json")["findings"]
        assert (finding["scope"], finding["owner"]) == (
            "fixture",
            "fixture agent (conftest.py:12)",
        )
        result.stdout.fnmatch_lines(["1 leak in 1 fixture: 1 process"])
        assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_junit_has_what_is_found_at_the_very_end(inner: Inner) -> None:
    """Its file is written before the run itself is checked."""
    inner.add_to_conftest(
        """
        KEPT = []

        def pytest_sessionfinish():
            KEPT.append(open(HERE + "/late.log", "w"))
        """
    )
    inner.run("def test_it(): pass", "--junit-xml=junit.xml", "--tmux-leak-check")
    tree = ElementTree.parse(inner.pytester.path / "junit.xml")
    cases = list(tree.iter("testcase"))
    assert len(cases) == 2
    assert "late.log" in (cases[1].findtext("error") or "")


def test_schema_refuses_what_is_no_report() -> None:
    """It is no schema that accepts anything."""
    schema = json.loads(SCHEMA_FILE.read_text())
    for wrong in ({}, {"schema": 2, "run": {}, "findings": []}, {"schema": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
