"""Waiting for one of several things, and for quiet."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pexpect
import pytest

from pytest_tmuxlife import Pane, PaneDied, Server, TmuxLifeError, WaitTimeout
from pytest_tmuxlife.clock import Deadline

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=30)


@pytest.mark.parametrize(
    ("patterns", "index"),
    [
        (["nothing", "two"], 1),
        (["three", "one"], 1),
        (["one", "one two"], 0),
        (["one two", "one"], 0),
        ([re.compile("t.o"), "three"], 0),
        ([pexpect.EOF, pexpect.TIMEOUT, "three"], 2),
    ],
)
def test_first_match_is_that_nearest_to_the_beginning(
    tmux_pane: Pane, patterns: list[object], index: int
) -> None:
    """Of several at one place the first in the list, as with pexpect."""
    tmux_pane.send_line("echo one two; echo three")
    tmux_pane.wait_for_prompt()
    assert tmux_pane.wait_for_any(patterns) == index


def test_choice_is_not_fooled_by_the_echo(tmux_pane: Pane) -> None:
    started = Deadline(60)
    tmux_pane.send_line("sleep 1; echo MARK")
    assert tmux_pane.wait_for_any(["never", "MARK"]) == 1
    assert started.elapsed >= 1


def test_end_of_the_program_is_one_of_the_choices(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    pane = tmux_server.new_pane("sleep 0.2")
    assert pane.wait_for_any(["never", pexpect.EOF], timeout=50) == 1


def test_end_of_the_server_is_one_of_the_choices(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    killer = threading.Timer(0.2, tmux_server.kill)
    killer.start()
    assert tmux_pane.wait_for_any([pexpect.EOF, "never"], timeout=50) == 0
    killer.join()


def test_end_that_nobody_chose_is_an_error(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    pane = tmux_server.new_pane("sleep 0.2")
    with pytest.raises(PaneDied):
        pane.wait_for_any(["never", pexpect.TIMEOUT], timeout=50)


def test_time_out_is_one_of_the_choices(tmux_pane: Pane) -> None:
    choices = ["never", pexpect.EOF, pexpect.TIMEOUT]
    assert tmux_pane.wait_for_any(choices, timeout=0.1) == 2


def test_time_out_that_nobody_chose_names_all_patterns(tmux_pane: Pane) -> None:
    with pytest.raises(WaitTimeout, match=r"no any of 'one', 't\.o', EOF on pane"):
        tmux_pane.wait_for_any(["one", re.compile("t.o"), pexpect.EOF], timeout=0.1)


@pytest.mark.parametrize("patterns", ["text", [], [7], [re.compile(b"x")]])
def test_what_is_no_list_of_patterns_is_refused(
    tmux_pane: Pane, patterns: list[object]
) -> None:
    with pytest.raises(TmuxLifeError, match="pattern"):
        tmux_pane.wait_for_any(patterns)


def test_choice_does_not_import_pexpect() -> None:
    program = (
        "import sys\n"
        "from pytest_tmuxlife.terminal.dialogue.choice import Choice\n"
        "assert Choice(['a', 'b']).first_in('xb') == 1\n"
        "assert 'pexpect' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# -- quiet -------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/tty"])
def test_quiet_begins_with_the_last_output(tmux_pane: Pane, target: str) -> None:
    loop = "for n in 1 2 3 4 5 6; do sleep 0.1; echo $n"
    tmux_pane.send_line(f"{loop} > {target}; done; read go")
    tmux_pane.wait_for_text("1")
    # Far longer than the pauses: a busy machine lengthens those.
    tmux_pane.wait_until_idle(quiet=3)
    assert "6" in tmux_pane.screen().lines
    tmux_pane.send_key("Enter")


def test_quiet_ends_with_a_write_that_changes_nothing(tmux_server: Server) -> None:
    """A program that draws the same again and again is not idle."""
    loop = "while sleep 0.02; do printf 'working\\r'; done"
    pane = tmux_server.new_pane(loop)
    with pytest.raises(WaitTimeout, match="no quiet of"):
        pane.wait_until_idle(quiet=3, timeout=3.5)


def test_quiet_of_no_time_is_refused(tmux_pane: Pane) -> None:
    with pytest.raises(TmuxLifeError, match="quiet is 0: must be seconds, more than 0"):
        tmux_pane.wait_until_idle(quiet=0)


def test_quiet_ends_with_the_program(tmux_server: Server, tmux_pane: Pane) -> None:
    pane = tmux_server.new_pane("sleep 0.2")
    with pytest.raises(PaneDied):
        pane.wait_until_idle(quiet=20, timeout=50)
