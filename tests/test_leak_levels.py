"""Which test is held to what it leaves: option, marker, fixtures of ours."""

from __future__ import annotations

import pytest
from inner import Inner

# What the tests of an inner run leave, and what they use.
TESTS = """
import os
import pytest

{marker}
def test_plain():
    os.open("/dev/null", os.O_RDONLY)

{marker}
def test_ours(tmux_leaks):
    os.open("/dev/zero", os.O_RDONLY)
"""
PASSES, WARNS, FAILS = range(3)

# (level of the run, of the marker) to what becomes of both tests.
POLICY = {
    (None, None): (PASSES, FAILS),
    (None, "off"): (PASSES, PASSES),
    (None, "warn"): (WARNS, WARNS),
    (None, "fail"): (FAILS, FAILS),
    ("off", None): (PASSES, PASSES),
    ("off", "off"): (PASSES, PASSES),
    ("off", "warn"): (WARNS, WARNS),
    ("off", "fail"): (FAILS, FAILS),
    ("warn", None): (WARNS, WARNS),
    ("warn", "off"): (PASSES, PASSES),
    ("warn", "warn"): (WARNS, WARNS),
    ("warn", "fail"): (FAILS, FAILS),
    ("fail", None): (FAILS, FAILS),
    ("fail", "off"): (PASSES, PASSES),
    ("fail", "warn"): (WARNS, WARNS),
    ("fail", "fail"): (FAILS, FAILS),
}


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


@pytest.mark.parametrize(("run", "marker"), POLICY)
def test_marker_wins_over_run_over_use_of_a_fixture(
    inner: Inner, run: str | None, marker: str | None
) -> None:
    """Every combination; a level of the run goes for all its tests."""
    decorator = f"@pytest.mark.tmux_leak_check({marker!r})" if marker else ""
    arguments = ["-o", f"tmux_leak_check={run}"] if run else []
    result = inner.run(TESTS.format(marker=decorator), *arguments)
    expected = POLICY[run, marker]
    failed = expected.count(FAILS)
    result.assert_outcomes(passed=2, failed=failed)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if failed else 0)
    for name, outcome in zip(("plain", "ours"), expected, strict=True):
        printed = result.stdout.str()
        assert (f"LEAKED test_inner.py::test_{name} - " in printed) == (
            outcome == FAILS
        )
        assert (f"test_{name}: warning: descriptor" in printed) == (outcome == WARNS)


def test_level_holds_for_processes_on_the_servers_too(inner: Inner) -> None:
    """They are ended at every level."""
    source = """
    import pytest

    @pytest.mark.tmux_leak_check("off")
    def test_off(tmux_pane, leave):
        leave(tmux_pane)

    @pytest.mark.tmux_leak_check(level="warn")
    def test_warn(tmux_pane, leave):
        leave(tmux_pane)
    """
    result = inner.run(source)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_warn: warning: sleep *"])
    result.stdout.no_fnmatch_line("*test_off*")
    inner.assert_all_gone(2)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            "'loud'",
            "marker tmux_leak_check('loud') of *::test_it: expected one of off*",
        ),
        ("", "marker tmux_leak_check of *::test_it: takes one level: off, warn, fail"),
        ("depth=1", "*test_it: takes one level: off, warn, fail"),
        ("'off', 'warn'", "*test_it: takes one level: off, warn, fail"),
    ],
)
def test_bad_level_of_a_marker_is_a_usage_error(
    inner: Inner, arguments: str, complaint: str
) -> None:
    """Before any test runs, with the test's name and the valid levels."""
    source = f"""
    import pytest

    @pytest.mark.tmux_leak_check({arguments})
    def test_it(): pass
    """
    result = inner.run(source)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {complaint}*"])


def test_rules_allow_what_is_no_process_too(inner: Inner) -> None:
    """They are searched in what it is; the reason stands in the summary."""
    inner.pytester.makefile(
        ".ini",
        pytest="""
        [pytest]
        tmux_leak_ignore =
            /dev/null  # of the ini file
        """,
    )
    result = inner.run(
        """
        import os

        def test_ini(): os.open("/dev/null", os.O_RDONLY)

        def test_own(tmux_leaks):
            tmux_leaks.ignore("/dev/zero", reason="of the test")
            os.open("/dev/zero", os.O_RDONLY)

        def test_other(): os.open("/dev/zero", os.O_RDONLY)
        """,
        "--tmux-leak-check",
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "allowed: /dev/null in *test_ini: of the ini file",
            "allowed: /dev/zero in *test_own: of the test",
            "LEAKED test_inner.py::test_other - 1 descriptor *",
        ]
    )
