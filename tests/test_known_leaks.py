"""The marker ``tmux_known_leak``: accepted while it happens, a failure after."""

from __future__ import annotations

import pytest
from inner import Inner

KNOWN = """
import pytest

@pytest.mark.tmux_known_leak(match="sleep 1000", reason="ignores HUP", issue="T-7")
def test_it(tmux_pane, leave):
    {body}
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def test_known_leak_passes_and_is_listed_with_its_issue(inner: Inner) -> None:
    """It is ended all the same."""
    result = inner.run(KNOWN.format(body="leave(tmux_pane)"))
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "known: sleep 1000 in test_inner.py::test_it: ignores HUP (T-7)",
            "1 known leak",
        ]
    )
    inner.assert_all_gone(1)


def test_other_leak_beside_a_known_one_is_a_failure(inner: Inner) -> None:
    result = inner.run(
        KNOWN.format(body="leave(tmux_pane); leave(tmux_pane, seconds=2000)")
    )
    result.stdout.fnmatch_lines(
        [
            "1 process outlived tmux server *",
            "*sleep * ALIVE *known: ignores SIGHUP",
            "*sleep * ALIVE * s   ignores SIGHUP",
            "known: sleep *: ignores HUP (T-7)",
            "LEAKED test_inner.py::test_it - 1 process outlived tmux server *",
        ]
    )
    inner.assert_all_gone(2)


def test_known_leak_that_stops_is_a_failure(inner: Inner) -> None:
    result = inner.run(KNOWN.format(body="pass"))
    result.stdout.fnmatch_lines(
        [
            "*_ test_it _*",
            "known leak 'sleep 1000' did not happen; remove its marker tmux_known_leak",
            "it was accepted because: ignores HUP (T-7)",
            "FAILED test_inner.py::test_it - known leak 'sleep 1000' did not happen; *",
        ]
    )
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_known_leak_that_is_not_strict_may_stop(inner: Inner) -> None:
    source = KNOWN.format(body="pass").replace('"T-7"', '"T-7", strict=False')
    result = inner.run(source)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        ("assert False", {"failed": 1}),
        ("pytest.skip('no')", {"skipped": 1}),
        ("pytest.xfail('no')", {"xfailed": 1}),
    ],
)
def test_known_leak_is_not_asked_for_if_the_test_did_not_pass(
    inner: Inner, body: str, outcomes: dict[str, int]
) -> None:
    """It may have ended before it would have leaked."""
    result = inner.run(KNOWN.format(body=body))
    result.assert_outcomes(**outcomes)
    result.stdout.no_fnmatch_line("*did not happen*")


def test_each_of_several_markers_stands_for_itself(inner: Inner) -> None:
    """Of the class and of the test; one happens, the other does not."""
    result = inner.run(
        """
        import pytest

        @pytest.mark.tmux_known_leak(match="sleep 10+$", reason="first")
        class TestIt:
            @pytest.mark.tmux_known_leak(match="dbus", reason="second")
            def test_it(self, tmux_pane, leave):
                leave(tmux_pane)
        """
    )
    result.stdout.fnmatch_lines(["FAILED * - known leak 'dbus' did not happen; *"])
    result.stdout.no_fnmatch_line("*known leak 'sleep 10+$' did not happen*")
    result.assert_outcomes(passed=1, failed=1)


BAD = {
    '"sleep", reason="x"': "takes arguments by name only: match=, reason=, issue=, *",
    'reason="x"': "missing a required argument: 'match'; it takes match=, reason=, *",
    'match="x", reason="y", isue="z"': "*unexpected keyword argument 'isue'; it *",
    'match="(", reason="x"': "match='(': '(' is no regular expression: *",
    'match="", reason="x"': "match='': '' would allow every process",
    'match=7, reason="x"': "match=7: expected a regular expression",
    'match="x", reason=" "': "reason=' ': expected a text that says why",
    'match="x", reason="y", issue=7': "issue=7: expected a text: *",
    'match="x", reason="y", strict=0': "strict=0: expected True or False",
}


def test_bad_arguments_are_refused_when_tests_are_collected(inner: Inner) -> None:
    """Each by name, with its test; nothing runs."""
    tests = [
        f"@pytest.mark.tmux_known_leak({arguments})\n"
        f"def test_{number}(): print('IT RAN')\n"
        for number, arguments in enumerate(BAD)
    ]
    result = inner.run("import pytest\n" + "\n".join(tests), "-s")
    texts = [
        f"marker tmux_known_leak of test_inner.py::test_{number}*{message}"
        for number, message in enumerate(BAD.values())
    ]
    result.stdout.fnmatch_lines(["*_ ERROR collecting test_inner.py _*", *texts])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line("IT RAN")


def test_bad_argument_in_a_worker_is_an_error_of_collection(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Inner(pytester, monkeypatch, autoload=True)
    result = inner.run(KNOWN.format(body="pass").replace("sleep 1000", ""), "-n1")
    result.stdout.fnmatch_lines(["marker tmux_known_leak of *: match='': *"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_marker_that_a_hook_adds_counts(inner: Inner) -> None:
    inner.add_to_conftest(
        """
        def pytest_collection_modifyitems(items):
            for item in items:
                mark = pytest.mark.tmux_known_leak(match="sleep", reason="all of them")
                item.add_marker(mark)
        """
    )
    result = inner.run("def test_it(tmux_pane, leave): leave(tmux_pane)")
    result.assert_outcomes(passed=1)
    inner.assert_all_gone(1)
