"""Assertions that are tried again until they hold, and fail with the screen."""

from __future__ import annotations

import pickle
import re
import threading

import pytest
from inner import Inner

from pytest_tmuxlife import (
    ExitStatus,
    ExpectationFailed,
    Pane,
    PaneNotReady,
    Server,
    TmuxLifeError,
    expect,
)
from pytest_tmuxlife.clock import Deadline

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=30)


def test_text_that_comes_later_is_waited_for(tmux_pane: Pane) -> None:
    started = Deadline(60)
    tmux_pane.send_line("sleep 1; echo MARK here")
    found = expect(tmux_pane).to_show(re.compile(r"MARK (\w+)"))
    assert found[1] == "here"
    assert started.elapsed >= 1


def test_text_from_before_the_last_send_is_shown(tmux_pane: Pane) -> None:
    """It is on the screen, though no wait would find it."""
    tmux_pane.run("echo old text")
    tmux_pane.run("true")
    expect(tmux_pane).to_show("old text")


def test_wrapped_line_is_one_line(tmux_pane: Pane) -> None:
    tmux_pane.run(f"printf '%s\\n' {'a' * 79}bc")
    tmux_pane.run("true")
    expect(tmux_pane).to_show("aabc")


def test_text_that_scrolled_away_is_not_shown(tmux_pane: Pane) -> None:
    tmux_pane.run("echo first; seq 1 100")
    expect(tmux_pane).not_to_show("first")
    expect(tmux_pane).to_show("100")


def test_echo_is_not_shown(tmux_pane: Pane) -> None:
    tmux_pane.run("true")
    tmux_pane.send_line("sleep 1; echo MA''RK; cat")
    expect(tmux_pane).not_to_show("MA''RK")
    expect(tmux_pane).to_show("MARK")
    tmux_pane.send_key("C-c")


def test_text_that_goes_is_waited_for(tmux_pane: Pane) -> None:
    line = "printf 'busy'; read go; sleep 0.5; printf '\\033[H\\033[2Jdone\\n'"
    tmux_pane.send_line(line)
    expect(tmux_pane).to_show("busy")
    tmux_pane.send_key("Enter")
    expect(tmux_pane).not_to_show("busy")
    expect(tmux_pane).to_show("done")


def test_alternate_screen_is_what_is_shown(tmux_pane: Pane) -> None:
    tmux_pane.run("echo on the first screen")
    tmux_pane.send_line("printf '\\033[?1049hFULL'; read go; printf '\\033[?1049l'")
    expect(tmux_pane).to_show("FULL")
    expect(tmux_pane).not_to_show("on the first screen")
    tmux_pane.send_key("Enter")
    expect(tmux_pane).to_show("on the first screen")


def test_failure_is_an_assertion_error_with_the_screen(tmux_pane: Pane) -> None:
    tmux_pane.run("echo something else")
    with pytest.raises(AssertionError) as caught:
        expect(tmux_pane).to_show("never", timeout=0.1)
    error = caught.value
    assert isinstance(error, ExpectationFailed)
    assert error.screen is not None
    assert "something else" in error.screen
    first = "expected pane %0 to show 'never': no text 'never' on pane %0 in 0.1 s"
    assert str(error).startswith(first)
    assert "something else" in str(error)
    twin = pickle.loads(pickle.dumps(error))
    assert (str(twin), twin.fields) == (str(error), error.fields)


def test_what_stays_on_the_screen_fails_with_it(tmux_pane: Pane) -> None:
    tmux_pane.run("echo stays")
    with pytest.raises(ExpectationFailed, match="not to show 'stays'") as caught:
        expect(tmux_pane).not_to_show("stays", timeout=0.1)
    assert caught.value.timeout == 0.1


def test_prompt_is_waited_for(tmux_pane: Pane) -> None:
    tmux_pane.send_line("sleep 0.5")
    expect(tmux_pane).to_be_at_prompt()
    tmux_pane.send_line("cat")
    with pytest.raises(ExpectationFailed, match="to be at its prompt"):
        expect(tmux_pane).to_be_at_prompt(timeout=0.1)
    tmux_pane.send_key("C-c")


def test_program_without_a_prompt_is_a_mistake_of_the_test(
    tmux_server: Server,
) -> None:
    with pytest.raises(PaneNotReady):
        expect(tmux_server.new_pane(["cat"])).to_be_at_prompt()


def test_exit_status_is_waited_for(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("sleep 0.3; exit 3", remain_on_exit=True)
    assert expect(pane).to_have_exited(3) == ExitStatus(3, None)
    assert expect(pane).to_have_exited() == ExitStatus(3, None)


def test_other_exit_status_fails_with_both_and_the_screen(
    tmux_server: Server,
) -> None:
    pane = tmux_server.new_pane(
        "printf '\\n\\nwhy\\n'; read go; exit 3", remain_on_exit=True
    )
    pane.wait_for_text("why")
    pane.send_key("Enter")
    with pytest.raises(ExpectationFailed) as caught:
        expect(pane).to_have_exited(0)
    first, *rest = str(caught.value).splitlines()
    assert (
        first == "expected pane %0 to have exited with 0: it ended with exit status 3"
    )
    assert "    why" in rest


def test_program_that_runs_on_fails(tmux_pane: Pane) -> None:
    with pytest.raises(ExpectationFailed, match="to have exited with 0: no exit"):
        expect(tmux_pane).to_have_exited(0, timeout=0.1)


def test_end_of_the_program_fails_at_once(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("sleep 0.3")
    started = Deadline(60)
    with pytest.raises(ExpectationFailed, match="has ended") as caught:
        expect(pane).to_show("never", timeout=50)
    assert started.elapsed < 20
    assert caught.value.screen is None


def test_what_remains_of_an_ended_program_is_shown(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("echo last words; exit 3", remain_on_exit=True)
    expect(pane).to_have_exited(3)
    with pytest.raises(ExpectationFailed, match="has ended") as caught:
        expect(pane).to_show("never")
    assert caught.value.screen is not None
    assert caught.value.screen.size == (80, 24)


def test_end_of_the_server_fails_at_once(tmux_server: Server, tmux_pane: Pane) -> None:
    killer = threading.Timer(0.3, tmux_server.kill)
    killer.start()
    started = Deadline(60)
    with pytest.raises(ExpectationFailed):
        expect(tmux_pane).to_show("never", timeout=50)
    assert started.elapsed < 20
    killer.join()


@pytest.mark.parametrize("pattern", [b"x", re.compile(b"x"), 7])
def test_what_is_no_pattern_is_refused(tmux_pane: Pane, pattern: object) -> None:
    with pytest.raises(TmuxLifeError, match="expected text or a compiled pattern"):
        expect(tmux_pane).to_show(pattern)  # type: ignore[arg-type]


def test_what_is_no_pane_is_refused(tmux_server: Server) -> None:
    with pytest.raises(TmuxLifeError, match="expect takes a Pane"):
        expect(tmux_server)  # type: ignore[arg-type]


def test_failure_is_shown_without_our_own_lines(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed test, its line, the screen: none of what waited for it."""
    monkeypatch.setenv("TMUXLIFE_LEAK_GRACE", "20")
    result = Inner(pytester, monkeypatch).run(
        """
        from pytest_tmuxlife import expect

        def test_it(tmux_pane):
            tmux_pane.run("echo on the screen")
            expect(tmux_pane).to_show("never", timeout=0.1)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*expect(tmux_pane).to_show(*",
            "E*ExpectationFailed: expected pane %0 to show 'never': no text 'never'*",
            "E *on the screen",
        ]
    )
    result.stdout.no_fnmatch_line("*_expected*")
