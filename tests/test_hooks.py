"""The hooks that a conftest may have, and what their errors do."""

from __future__ import annotations

import pytest
from inner import Inner

LEAKING = """
def test_leaking(tmux_pane, leave):
    leave(tmux_pane)
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_leak_hook_gets_the_test_and_what_it_left(inner: Inner, workers: str) -> None:
    """Once for a leaking test, not for a clean one; the survivors are gone by then."""
    inner.add_to_conftest(
        """
        def pytest_tmuxlife_leak(item, leaks):
            [leak] = leaks
            with open(HERE + "/told", "a") as file:
                gone = procfs.stat(leak.process.pid) is None
                file.write(f"{item.name} {leak.why} {gone}\\n")
        """
    )
    inner.run(f"{LEAKING}\ndef test_clean(tmux_pane): pass", workers)
    told = (inner.pytester.path / "told").read_text()
    assert told == "test_leaking ignores SIGHUP True\n"


def test_error_in_the_leak_hook_is_shown_beside_the_verdict(inner: Inner) -> None:
    inner.add_to_conftest(
        """
        def pytest_tmuxlife_leak(item, leaks):
            raise RuntimeError("of the hook")
        """
    )
    result = inner.run(LEAKING)
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_leaking",
            "*ALIVE*",
            "error in the hook pytest_tmuxlife_leak:",
            "E *RuntimeError: of the hook",
            "LEAKED test_inner.py::test_leaking - 1 process outlived *",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    inner.assert_all_gone(1)


def test_exit_in_the_leak_hook_does_not_lose_the_verdict(inner: Inner) -> None:
    inner.add_to_conftest(
        """
        def pytest_tmuxlife_leak(item, leaks):
            pytest.exit("enough")
        """
    )
    result = inner.run(LEAKING)
    result.stdout.fnmatch_lines(["LEAKED test_inner.py::test_leaking", "*ALIVE*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    inner.assert_all_gone(1)


def test_ignore_hook_allows_what_it_has_a_reason_for(inner: Inner) -> None:
    inner.add_to_conftest(
        """
        def pytest_tmuxlife_ignore(process):
            if process.command == ("sleep", "1000"):
                return "the first of them"
        """
    )
    result = inner.run(
        """
        def test_it(tmux_pane, leave):
            leave(tmux_pane)
            leave(tmux_pane, seconds=2000)
        """
    )
    result.stdout.fnmatch_lines(
        [
            "1 process outlived tmux server *",
            "allowed: sleep *: the first of them",
            "allowed: sleep * in test_inner.py::test_it: the first of them",
            "1 leak in 1 test: 1 process; 1 allowed",
        ]
    )
    inner.assert_all_gone(2)


def test_ignore_hook_of_a_directory_holds_below_it(inner: Inner) -> None:
    """As with every hook that pytest calls for a test."""
    for name in ("with_hook", "without"):
        directory = inner.pytester.mkdir(name)
        (directory / f"test_{name}.py").write_text(LEAKING)
    (inner.pytester.path / "with_hook" / "conftest.py").write_text(
        "def pytest_tmuxlife_ignore(process): return 'below here'"
    )
    result = inner.run("")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["LEAKED without/test_without.py::test_leaking - *"])
    inner.assert_all_gone(2)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('of the hook')", "RuntimeError: of the hook"),
        ("return True", "TypeError: True is no reason; return a text or None"),
        ("return ' '", "TypeError: ' ' is no reason; return a text or None"),
    ],
)
def test_error_in_the_ignore_hook_allows_nothing_and_is_shown(
    inner: Inner, body: str, message: str
) -> None:
    """Once, however often the hook was asked."""
    inner.add_to_conftest(f"def pytest_tmuxlife_ignore(process): {body}")
    result = inner.run(LEAKING)
    result.stdout.fnmatch_lines(
        [
            "1 process outlived tmux server *",
            f"hook pytest_tmuxlife_ignore: {message}",
            "LEAKED test_inner.py::test_leaking - 1 process outlived *",
        ]
    )
    assert result.outlines.count(f"hook pytest_tmuxlife_ignore: {message}") == 1
    inner.assert_all_gone(1)


def test_error_in_the_ignore_hook_fails_a_test_that_left_nothing(inner: Inner) -> None:
    """A hook that does not work would allow nothing on the day it is needed."""
    inner.add_to_conftest("def pytest_tmuxlife_ignore(process): 1 / 0")
    result = inner.run("def test_it(tmux_pane): pass")
    result.stdout.fnmatch_lines(
        ["FAILED * - hook pytest_tmuxlife_ignore: ZeroDivisionError: division by zero"]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_misspelt_hook_is_refused(inner: Inner) -> None:
    """pytest does that with hooks that are declared."""
    inner.add_to_conftest("def pytest_tmuxlife_leak(item, leeks): pass")
    result = inner.run("def test_it(): pass")
    assert result.ret != pytest.ExitCode.OK
    result.stderr.fnmatch_lines(["*leeks*"])
