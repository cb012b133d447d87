"""The lines about a whole run: one for each leak, and the totals."""

from __future__ import annotations

import json
import os
import re

import pytest
from findings import SHELL, leak, process, verdict
from inner import Inner

from pytest_tmuxlife.leaks.allowances import allow
from pytest_tmuxlife.leaks.known import KnownLeak
from pytest_tmuxlife.leaks.leak import Descriptor, Leak
from pytest_tmuxlife.leaks.model import Finding
from pytest_tmuxlife.leaks.record import Record, as_record
from pytest_tmuxlife.leaks.report import report
from pytest_tmuxlife.leaks.rules import IgnoreRule
from pytest_tmuxlife.leaks.summary import (
    accepted_lines,
    leak_lines,
    total_line,
    unmatched,
)

ODD = os.fsdecode(b"\xff\xfe\n\x1b") + "\ud800"


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def descriptor(target: str = "11w /tmp/log") -> Leak:
    return Leak(
        "descriptor", "still open", ("table",), None, "a.py:4 f()", "", target=target
    )


def record(*leaks: Leak, owner: str = "test_a.py::test_it") -> Record:
    return as_record(Finding(owner, leaks=leaks))


# -- records --------------------------------------------------------------------


def test_record_of_odd_bytes_can_be_sent_and_written() -> None:
    """Every text of it can be encoded; what it was can still be read."""
    info = process(20, SHELL, ODD, ODD, ODD)
    held = (Descriptor(3, "w", ODD),)
    found = leak(info, ODD, cwd=ODD, started_by=ODD, descriptors=held, user=ODD)
    known = KnownLeak(re.compile("x"), ODD, ODD)
    rule = IgnoreRule(re.compile("y"), ODD, source=ODD)
    finding = Finding(
        ODD, verdicts=[verdict(found)], missing=[known], rules=[rule], errors=[ODD]
    )
    text = json.dumps(as_record(finding), ensure_ascii=False)
    assert text.encode()
    assert json.loads(text)["leaks"][0]["process"]["command"][0] == (
        "\\xff\\xfe\n\x1b\\ud800"
    )


# -- lines ----------------------------------------------------------------------


def test_each_leak_has_one_line() -> None:
    assert leak_lines([record(leak(process(20, SHELL)), descriptor())]) == [
        "test_a.py::test_it: sleep 20: ignores SIGHUP",
        "test_a.py::test_it: descriptor 11w /tmp/log: still open, opened in a.py:4 f()",
    ]


def test_warned_of_leak_is_marked_as_such() -> None:
    found = as_record(Finding("test_it", leaks=[descriptor()], level="warn"))
    assert leak_lines([found])[0].startswith("test_it: warning: descriptor 11w")


def test_totals_count_owners_and_kinds() -> None:
    """A test that was rerun is one test, its leaks are two."""
    first = record(leak(process(20, SHELL)), descriptor())
    again = record(leak(process(21, SHELL)))
    other = record(leak(process(22, SHELL)), owner="test_b.py::test_it")
    run = as_record(Finding("the run", "run", leaks=[descriptor()]))
    assert total_line([first, again, other, run]) == (
        "5 leaks in the run, 2 tests: 3 processes, 2 descriptors"
    )


def test_run_in_which_everything_leaks_lists_a_hundred() -> None:
    lines = leak_lines([record(descriptor(str(number))) for number in range(150)])
    assert len(lines) == 101
    assert lines[-1] == "... and 50 more leaks"


def test_known_leaks_of_one_marker_share_a_line() -> None:
    known = KnownLeak(re.compile("log"), "it always did", "T-12")
    found = [
        as_record(Finding(owner, known=[(descriptor(), known)]))
        for owner in ("test_a", "test_b", "test_b")
    ]
    assert accepted_lines(found) == [
        "known: log in test_a and 1 more: it always did (T-12)"
    ]
    assert total_line(found) == "3 known leaks"


def test_rule_counts_as_used_wherever_in_the_run_it_was() -> None:
    """The same rule of two tests is one rule."""
    offered = as_record(
        Finding("test_a", rules=[IgnoreRule(re.compile("x"), "why", source="here")])
    )
    used = record()
    used["leaks"] = [{"status": "allowed", "match": "y", "source": "ini"}]
    ini = [{"match": match, "source": "ini"} for match in ("y", "z")]
    assert unmatched(ini, [offered, used]) == [
        {"match": "z", "source": "ini"},
        {"match": "x", "source": "here"},
    ]


# -- what is no process of a server -----------------------------------------------


def test_rule_is_searched_in_the_target_of_a_descriptor() -> None:
    """What it allows is no leak any more, and stands in the record."""
    finding = Finding("test_a", leaks=[descriptor(), descriptor("3r /etc/passwd")])
    rule = IgnoreRule(re.compile("/tmp/"), "a cache", source="ini")
    found = allow(finding, [rule])
    assert [leak.target for leak in found.leaks] == ["3r /etc/passwd"]
    entries = as_record(found)["leaks"]
    assert [one["status"] for one in entries] == ["leak", "allowed"]
    assert (entries[1]["kind"], entries[1]["source"]) == ("descriptor", "ini")
    assert "allowed: descriptor 11w /tmp/log: a cache" in report(found)


def test_rule_is_searched_in_the_command_line_of_a_child() -> None:
    found = allow(
        Finding("test_a", leaks=[leak(process(20, SHELL))]),
        [IgnoreRule(re.compile("^sleep$"), "shared")],
    )
    assert found.leaks == []
    assert not found.is_failing


# -- in a run -------------------------------------------------------------------

ALLOWED = """
def test_first(tmux_pane, leave):
    leave(tmux_pane)

def test_second(tmux_pane, leave):
    leave(tmux_pane)
"""
RULE = "tmux_leak_ignore=sleep 1000 # the reason"


def test_run_with_leaks_ends_with_a_section(inner: Inner) -> None:
    result = inner.run(ALLOWED)
    result.stdout.fnmatch_lines(
        [
            "*= tmux leaks =*",
            "test_inner.py::test_first: sleep *: ignores SIGHUP",
            "test_inner.py::test_second: sleep *: ignores SIGHUP",
            "2 leaks in 2 tests: 2 processes",
            "*= short test summary info =*",
        ],
        consecutive=True,
    )


def test_clean_run_has_no_section(inner: Inner) -> None:
    result = inner.run("def test_it(tmux_pane): pass")
    result.stdout.no_fnmatch_line("*tmux leaks*")


def test_what_a_rule_allows_is_listed_with_the_reason(inner: Inner) -> None:
    result = inner.run(ALLOWED, "-o", RULE)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "allowed: sleep 1000 in test_inner.py::test_first and 1 more: the reason",
            "2 allowed",
        ]
    )
    inner.assert_all_gone(2)


def test_rule_that_allows_nothing_is_warned_of(inner: Inner) -> None:
    """Its expression and where it stands; a warning in words, for the run passes
    with warnings as errors too.
    """
    rule = "tmux_leak_ignore=ssh-agent # shared"
    result = inner.run("def test_it(tmux_pane): pass", "-o", rule, "-W", "error")
    result.stdout.fnmatch_lines(
        ["warning: 'ssh-agent' of tmux_leak_ignore allowed nothing in this run; *"]
    )
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    "arguments",
    [
        ["-k", "clean"],
        ["test_inner.py::test_clean"],
        ["-x"],
        ["-pcacheprovider", "--lf"],
    ],
)
def test_part_of_a_run_does_not_warn_of_a_rule(
    inner: Inner, arguments: list[str]
) -> None:
    """What was left out might have needed it."""
    source = ALLOWED + "\ndef test_clean(tmux_pane): pass"
    rule = "tmux_leak_ignore=ssh-agent # shared"
    result = inner.run(source, *arguments, "-o", rule)
    result.stdout.no_fnmatch_line("warning: *")


def test_run_that_checks_nothing_does_not_warn_of_a_rule(inner: Inner) -> None:
    rule = "tmux_leak_ignore=ssh-agent # shared"
    result = inner.run("def test_it(): pass", "-o", rule)
    result.stdout.no_fnmatch_line("warning: *")


def test_rule_of_a_test_that_allows_nothing_is_warned_of(inner: Inner) -> None:
    result = inner.run(
        """
        def test_it(tmux_pane, tmux_leaks):
            tmux_leaks.ignore("ssh-agent", reason="shared")
        """
    )
    result.stdout.fnmatch_lines(["warning: 'ssh-agent' of tmux_leaks.ignore allowed *"])
    assert result.ret == pytest.ExitCode.OK


OPENS = """
import os
import pytest

KEPT = []

def test_opens(tmp_path):
    KEPT.append(os.open(tmp_path / "allowed.log", os.O_CREAT))

@pytest.mark.tmux_known_leak(match="known.log", reason="to be mended", issue="T-7")
def test_known(tmp_path):
    KEPT.append(os.open(tmp_path / "known.log", os.O_CREAT))

@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    KEPT.append(os.open(tmp_path_factory.mktemp("f") / "allowed.log", os.O_CREAT))

def test_uses(opened):
    pass
"""


@pytest.mark.parametrize("mended", [False, True])
def test_rules_and_markers_hold_in_the_whole_run_check(
    inner: Inner, mended: bool
) -> None:
    """For descriptors, of tests and of fixtures."""
    source = OPENS.replace('/ "known.log"', '/ "allowed.log"') if mended else OPENS
    rule = r"tmux_leak_ignore=allowed\.log # a cache"
    result = inner.run(source, "--tmux-leak-check", "-o", rule)
    if mended:
        result.stdout.fnmatch_lines(["FAILED *::test_known - known leak * did not *"])
        return
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "known: known.log in test_inner.py::test_known: to be mended (T-7)",
            "allowed: allowed*.log in * and 1 more: a cache",
            "1 known leak; 2 allowed",
        ]
    )


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_what_is_only_warned_of_is_shown_whole_and_passes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    inner = Inner(pytester, monkeypatch, autoload=True)
    result = inner.run(ALLOWED, "--tmux-leak-check=warn", workers)
    result.stdout.fnmatch_lines(
        [
            "*= tmux leaks that are warned of =*",
            "LEAKED test_inner.py::test_*",
            "*ALIVE*",
            "*= tmux leaks =*",
            "test_inner.py::test_*: warning: sleep *: ignores SIGHUP",
            "2 leaks in 2 tests: 2 processes",
        ]
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    inner.assert_all_gone(2)
