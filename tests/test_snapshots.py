"""Screens compared with stored ones, and what a failed assertion on one shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inner import Inner

from pytest_tmuxlife import (
    ExpectationFailed,
    Pane,
    Screen,
    Server,
    TmuxLifeError,
    expect,
)
from pytest_tmuxlife.artifacts.snapshots import (
    Snapshot,
    Snapshots,
    comparable,
    file_name,
    marked_lines,
)
from pytest_tmuxlife.fixtures import SnapshotCheck
from pytest_tmuxlife.hooks.explanation import explain

MENU = """
import pytest
from pytest_tmuxlife import expect

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=30)

def test_menu(tmux_pane):
    tmux_pane.run("printf 'one\\\\ntwo\\\\n'")
    expect(tmux_pane).to_match_snapshot(timeout=0.5)
"""
UPDATE = "--tmux-snapshot-update"


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    monkeypatch.setenv("TMUXLIFE_LEAK_GRACE", "20")
    return Inner(pytester, monkeypatch)


def stored(inner: Inner) -> dict[str, str]:
    """Text of each snapshot by its path."""
    directory = inner.pytester.path / "__snapshots__"
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_screen_is_stored_and_matches_then(inner: Inner) -> None:
    """Although nonce and number of the prompt differ from run to run."""
    inner.run(MENU, UPDATE).assert_outcomes(passed=1)
    assert stored(inner) == {
        "test_inner/test_menu.txt": "$ printf 'one\\ntwo\\n'\none\ntwo\n$\n"
    }
    inner.run(MENU).assert_outcomes(passed=1)


def test_screen_that_differs_fails_with_both(inner: Inner) -> None:
    inner.run(MENU, UPDATE).assert_outcomes(passed=1)
    before = stored(inner)
    result = inner.run(MENU.replace("two", "three"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *expected pane %0 to match snapshot __snapshots__/test_inner/test_menu."
            "txt: (- is stored, + is shown)",
            "E * one",
            "E *- two",
            "E *+ three",
            f"E *{UPDATE}",
        ]
    )
    assert stored(inner) == before


def test_screen_that_is_not_stored_fails_and_stores_nothing(inner: Inner) -> None:
    result = inner.run(MENU)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *it is not stored yet; shown is:", "E *two"])
    assert stored(inner) == {}


def test_fixture_compares_panes_screens_and_texts(inner: Inner) -> None:
    source = """
    def test_it(tmux_pane, tmux_snapshot):
        tmux_pane.run("echo first")
        tmux_snapshot(tmux_pane)
        tmux_pane.run("echo second")
        tmux_snapshot(tmux_pane.screen())
        tmux_snapshot("a text", name="of its own")
    """
    inner.run(source, UPDATE).assert_outcomes(passed=1)
    first, second, third = sorted(stored(inner).values(), key=len, reverse=True)
    assert [first.count("second"), second.count("second")] == [2, 0]
    assert third == "a text\n"
    inner.run(source).assert_outcomes(passed=1)
    result = inner.run(source.replace("a text", "another"))
    result.stdout.fnmatch_lines(["E *- a text", "E *+ another"])


def test_each_test_has_its_own(inner: Inner) -> None:
    """Also where names are alike once they are files."""
    source = """
    import pytest

    @pytest.mark.parametrize("case", ["a/b", "a b", "a-b"])
    def test_it(tmux_snapshot, case):
        tmux_snapshot(case)

    class TestClass:
        def test_it(self, tmux_snapshot):
            tmux_snapshot("of a class")
    """
    inner.run(source, UPDATE).assert_outcomes(passed=4)
    assert sorted(stored(inner).values()) == ["a b\n", "a-b\n", "a/b\n", "of a class\n"]
    assert "test_inner/TestClass.test_it.txt" in stored(inner)
    inner.run(source).assert_outcomes(passed=4)


def test_name_depends_neither_on_parameters_nor_on_groups(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """xdist puts the group behind the test's id; a parameter can look like a class."""
    inner = Inner(pytester, monkeypatch, autoload=True)
    source = """
    import pytest

    @pytest.mark.xdist_group("one")
    @pytest.mark.parametrize("case", ["a::b", "a.b"])
    def test_it(tmux_snapshot, case):
        tmux_snapshot(case)
    """
    inner.run(source, UPDATE, "-n", "1", "--dist", "loadgroup").assert_outcomes(
        passed=2
    )
    assert sorted(stored(inner).values()) == ["a.b\n", "a::b\n"]
    inner.run(source, "-n", "1").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: data.replace(b"\n", b"  \n") + b"\n\n",
    ],
    ids=["line-ends", "no-last-line-feed", "blanks"],
)
def test_file_that_an_editor_has_saved_is_the_same(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "screen.txt"
    snapshot = Snapshot(str(path), path.name)
    snapshot.store("one\ntwo")
    path.write_bytes(change(path.read_bytes()))
    assert snapshot.difference("one\ntwo") is None


def test_file_that_is_no_text_differs(tmp_path: Path) -> None:
    path = tmp_path / "screen.txt"
    path.write_bytes(b"one\xff\n")
    assert Snapshot(str(path), path.name).difference("one") == (
        "(- is stored, + is shown)\n    - one\\xff\n    + one"
    )


@pytest.mark.parametrize(
    "text", ["not UTF-8: \udcff", "of Python \x85 \x0c only", "\r"]
)
def test_any_text_is_stored(tmp_path: Path, text: str) -> None:
    snapshot = Snapshot(str(tmp_path / "screen.txt"), "screen.txt")
    snapshot.store(text)
    assert snapshot.is_same(text)


def test_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "screen.txt"
    path.mkdir()
    with pytest.raises(OSError, match=r"screen\.txt"):
        Snapshot(str(path), path.name).store("text")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shown", [None, b"x", ["x"]])
def test_what_shows_nothing_is_refused(
    tmux_snapshot: SnapshotCheck, shown: Any
) -> None:
    with pytest.raises(TmuxLifeError, match="must be a Pane, a Screen or a text"):
        tmux_snapshot(shown)


def test_pane_that_is_kept_after_the_end_is_stored_and_compared(
    tmux_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pane = tmux_server.new_pane("true", remain_on_exit=True)
    pane.wait_for_exit()

    def match_snapshot(*, is_updating: bool) -> None:
        taken = Snapshots(str(tmp_path / "test_m.py"), "test_x", is_updating)
        monkeypatch.setattr(
            "pytest_tmuxlife.artifacts.snapshots.of_test", lambda: taken
        )
        expect(pane).to_match_snapshot(timeout=30)

    match_snapshot(is_updating=True)
    match_snapshot(is_updating=False)
    (stored,) = tmp_path.rglob("*.txt")
    stored.write_text("another\n")
    with pytest.raises(ExpectationFailed, match="- another"):
        match_snapshot(is_updating=False)


def test_workers_of_xdist_store_side_by_side(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Inner(pytester, monkeypatch, autoload=True)
    source = """
    import pytest

    @pytest.mark.parametrize("number", range(10))
    def test_it(tmux_snapshot, number):
        tmux_snapshot(f"screen {number}")
    """
    inner.run(source, UPDATE, "-n", "2").assert_outcomes(passed=10)
    expected = sorted(f"screen {number}\n" for number in range(10))
    assert sorted(stored(inner).values()) == expected
    inner.run(source, "-p", "no:xdist").assert_outcomes(passed=10)


def test_update_stores_what_a_program_shows(inner: Inner) -> None:
    source = """
    from pytest_tmuxlife import expect

    def test_it(tmux_server):
        pane = tmux_server.new_pane("for n in 1 2 3; do echo $n; done; exec cat")
        pane.wait_for_text("3")
        expect(pane).to_match_snapshot()
    """
    inner.run(source, UPDATE).assert_outcomes(passed=1)
    assert list(stored(inner).values()) == ["1\n2\n3\n"]


def test_screen_that_comes_later_is_waited_for(inner: Inner) -> None:
    source = """
    from pytest_tmuxlife import expect

    def test_it(tmux_server):
        pane = tmux_server.new_pane("sleep SECONDS; echo ready; exec cat")
        if SECONDS == 0:
            pane.wait_for_text("ready")
        expect(pane).to_match_snapshot()
    """
    first, second = source.replace("SECONDS", "0"), source.replace("SECONDS", "1")
    inner.run(first, UPDATE).assert_outcomes(passed=1)
    inner.run(second).assert_outcomes(passed=1)


def test_snapshot_of_one_name_is_taken_once(inner: Inner) -> None:
    result = inner.run(
        """
        def test_it(tmux_snapshot):
            tmux_snapshot("one", name="same")
            tmux_snapshot("two", name="same")
        """,
        UPDATE,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *snapshot 'same' was compared already*"])


def test_test_that_runs_pytest_itself_keeps_its_own(inner: Inner) -> None:
    source = """
    pytest_plugins = ["pytester"]

    def test_it(pytester, tmux_snapshot):
        pytester.makepyfile("def test_x(tmux_snapshot): tmux_snapshot('inner')")
        plugin = ("-p", "pytest_tmuxlife.plugin", "-p", "no:cacheprovider")
        done = pytester.inline_run("--tmux-snapshot-update", *plugin)
        done.assertoutcome(passed=1)
        tmux_snapshot("outer")
    """
    inner.run(source, UPDATE).assert_outcomes(passed=1)
    assert stored(inner) == {"test_inner/test_it.txt": "outer\n"}


def test_unnamed_snapshots_are_counted() -> None:
    taken = Snapshots("/tests/test_m.py", "test_x", is_updating=False)
    shown = [taken.take().shown_path, taken.take("name").shown_path]
    shown.append(taken.take().shown_path)
    assert [path.rpartition("/")[2] for path in shown] == [
        "test_x.txt",
        "test_x-name.txt",
        "test_x-2.txt",
    ]


@pytest.mark.parametrize("name", ["../../up", "a/b", "..", "x" * 300, "ünï ☃", ""])
def test_file_name_stays_in_its_directory(name: str) -> None:
    found = file_name(name)
    assert "/" not in found
    assert not found.startswith(".")
    assert len(found.encode()) < 255


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("[0a9f:12]$ ls\n[0a9f+]> x  \n\n\n", "$ ls\n> x\n"),
        ("[0a9f]$ quit", "$ quit\n"),
        ("", "\n"),
        ("[not:1]$ ours", "[not:1]$ ours\n"),
    ],
)
def test_text_is_stored_without_what_differs(shown: str, expected: str) -> None:
    assert comparable(shown) == expected


# -- assertions on screens ---------------------------------------------------------


def screen(*lines: str, cursor: tuple[int, int] = (1, 2)) -> Screen:
    return Screen(lines, cursor, (20, len(lines)))


def test_text_that_is_not_on_the_screen_shows_it(tmux_pane: Pane) -> None:
    tmux_pane.run("echo something else")
    with pytest.raises(AssertionError) as caught:
        assert "never" in tmux_pane.screen()
    message = str(caught.value)
    assert "'never' in the screen of 80x24, cursor at row 2, column" in message
    assert "something else" in message.splitlines()[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HELLO", "It is there in other case."),
        ("hello worle", "Row 0 is like it: 'hello world'"),
        ("quite another", None),
    ],
)
def test_what_is_nearly_there_is_said(text: str, said: str | None) -> None:
    lines = explain("in", text, screen("hello world", "$"))
    assert lines is not None
    assert lines[3:] == ([said] if said else [])


def test_long_text_leaves_room_for_the_screen() -> None:
    lines = explain("in", "x" * 5000, screen("hello"))
    assert lines is not None
    assert len(lines[0]) < 200


def test_rows_that_differ_are_paired() -> None:
    before, after = ["a", "b 1", "b 2", "c"], ["a", "b 3", "b 4", "b 5", "c"]
    assert list(marked_lines(before, after)) == [
        *("  a", "- b 1", "+ b 3", "- b 2", "+ b 4", "+ b 5", "  c")
    ]


def test_screens_that_differ_show_what_differs() -> None:
    lines = explain("==", screen("a", "b"), screen("a", "c", cursor=(0, 0)))
    assert lines == [
        "screen == screen",
        "cursor: (1, 2) and (0, 0)",
        "    a",
        "  - b",
        "  + c",
    ]


@pytest.mark.parametrize(
    ("op", "left", "right"), [("in", "x", "text"), ("==", 1, 2), ("in", 7, screen("x"))]
)
def test_other_comparisons_are_left_to_pytest(
    op: str, left: object, right: object
) -> None:
    assert explain(op, left, right) is None


def test_snapshot_outside_a_test_is_refused(
    tmux_pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_tmuxlife.artifacts.snapshots.of_test", None)
    with pytest.raises(TmuxLifeError, match="is for a test, and none is running"):
        expect(tmux_pane).to_match_snapshot()
