"""The report of a failing test shows the test's own lines."""

from __future__ import annotations

import re

import pytest
from inner import Inner

MET_IN_THE_TEST = """
    def test_wait(tmux_pane):
        tmux_pane.wait_for_text("never", timeout=0.1)

    def test_command(tmux_pane):
        tmux_pane.run("cat", timeout=0.1)

    def test_option(tmux_server):
        tmux_server.new_session(size="big")

    def test_error_of_its_own(tmux_pane):
        tmux_pane.wait_until(lambda: {}["missing"], 10, "a key")

    def test_error_below_a_look(tmux_pane):
        def look():
            tmux_pane.send_key("NoSuchKey")

        tmux_pane.wait_until(look, 10, "a key")
"""
# By test: the line that is shown, and the error below it.
SHOWN = {
    "test_wait": ('wait_for_text("never"', "WaitTimeout: no text 'never'"),
    "test_command": ('run("cat"', "CommandTimeout: 'cat' did not end"),
    "test_option": ('new_session(size="big")', "TmuxLifeError: new_session: size="),
    "test_error_of_its_own": ('lambda: {}["missing"]', "KeyError: 'missing'"),
    "test_error_below_a_look": ('send_key("NoSuchKey")', "TmuxLifeError: "),
}
# As pytest names the place of a line.
OWN_LINE = re.compile(r"^\S*pytest_tmuxlife/\S+\.py:\d+", re.MULTILINE)


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def sections(result: pytest.RunResult) -> dict[str, str]:
    """What is printed of each failing test."""
    heading = re.compile(r"^_+ (?:ERROR at setup of )?(test_\w+) _+$", re.MULTILINE)
    _, *parts = heading.split(result.stdout.str().partition("= short test summary")[0])
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_error_is_shown_where_the_test_has_met_it(inner: Inner) -> None:
    found = sections(inner.run(MET_IN_THE_TEST))
    assert found.keys() == SHOWN.keys()
    for name, (line, error) in SHOWN.items():
        text = found[name]
        assert not OWN_LINE.search(text), text
        assert re.search(rf"(?m)^> .*{re.escape(line)}", text), text
        assert re.search(rf"(?m)^E .*{re.escape(error)}", text), text


def test_full_trace_shows_all(inner: Inner) -> None:
    found = sections(inner.run(MET_IN_THE_TEST, "--full-trace"))
    for name in SHOWN:
        assert OWN_LINE.search(found[name]), found[name]


def test_error_of_a_fixture_of_ours_is_its_sentence(inner: Inner) -> None:
    source = """
        import pytest

        @pytest.mark.tmux(size="big")
        def test_it(tmux_pane):
            pass
    """
    text = sections(inner.run(source))["test_it"].partition("\n=")[0].strip()
    assert re.fullmatch(
        r"TmuxLifeError: marker tmux of \S+: size='big': expected .*", text
    )


def test_fault_of_ours_is_shown_with_its_place(inner: Inner) -> None:
    source = """
        def test_it(tmux_pane, monkeypatch):
            monkeypatch.setattr(
                "pytest_tmuxlife.terminal.dialogue.sending.press", None
            )
            tmux_pane.send_key("Enter")
    """
    text = sections(inner.run(source))["test_it"]
    assert "TypeError: 'NoneType' object is not callable" in text
    assert OWN_LINE.search(text), text
