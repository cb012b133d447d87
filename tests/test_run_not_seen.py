"""A command whose echo is not there as it was typed: refused, or gone with a clear."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_tmuxlife import Pane, PaneNotReady, Program, Server
from pytest_tmuxlife.fixtures import ServerFactory
from pytest_tmuxlife.terminal.programs.presets import PRESETS

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]
CLEAR = r"printf '\033[H\033[2J\033[3J'"
CLEARED = "the screen was cleared"
# It carries out each line, at a prompt that is not ours.
CALLED = Program(
    ["bash", "-c", "while printf 'calc> '; IFS= read -r line; do eval \"$line\"; done"],
    prompt=r"^calc> ",
)


def assert_refused(pane: Pane, command: str, *, exact: bool = False) -> None:
    with pytest.raises(PaneNotReady, match="not shown as it was typed") as caught:
        pane.run(command, exact=exact)
    assert caught.value.state == "not shown as it was typed"


# -- shown otherwise ---------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True], ids=["shown", "exact"])
@pytest.mark.parametrize(
    "setting", ["export TERM=dumb", "bind 'set horizontal-scroll-mode on'"]
)
def test_line_that_is_scrolled_sideways_is_refused(
    tmux_server: Server, setting: str, exact: bool
) -> None:
    pane = tmux_server.new_pane("bash")
    pane.run("seq 3")
    pane.run(setting)
    for length in (70, 80, 160):
        assert_refused(pane, "echo " + "w" * length, exact=exact)
        assert pane.run("echo short", exact=exact).output == "short\n"


@pytest.mark.parametrize(
    ("program", "line"),
    [("bash", "echo {}"), ("python", "print('{}')"), ("sqlite", "select '{}';")],
)
def test_first_line_of_all_that_is_scrolled_sideways_is_refused(
    tmux_server_factory: ServerFactory, tmp_path: Path, program: str, line: str
) -> None:
    """No earlier prompt says then that nothing was cleared."""
    if shutil.which(PRESETS[program].argv[0]) is None:
        pytest.skip(f"there is no {program}")
    (tmp_path / "dumb.conf").write_text("set -g default-terminal dumb\n")
    server = tmux_server_factory(config=tmp_path / "dumb.conf")
    assert_refused(server.new_pane(program), line.format("w" * 80))


def test_own_program_that_does_not_echo_is_refused(tmux_server: Server) -> None:
    argv = ["bash", "-c", f"stty -echo; {CALLED.argv[-1]}"]
    pane = tmux_server.new_pane(Program(argv, prompt=CALLED.prompt))
    for _ in range(3):
        assert_refused(pane, "echo $((5 + 1))")


def test_same_command_before_is_not_taken_for_one_that_is_not_echoed(
    tmux_server: Server,
) -> None:
    pane = tmux_server.new_pane(CALLED)
    for _ in range(2):
        assert pane.run("echo 6").output == "6\n"
    pane.run("stty -echo")
    assert_refused(pane, "echo 6")
    assert_refused(pane, "stty echo; echo 6")
    assert pane.run("echo 6").output == "6\n"


@pytest.mark.parametrize(
    ("locale", "word"),
    [
        ("C.UTF-8", "e" + "\u0301" * 30),
        ("C", "\u00e9"),
    ],
    ids=["many combining characters", "no ASCII in the C locale"],
)
def test_word_that_is_not_shown_as_it_is_is_refused(
    tmux_server: Server, locale: str, word: str
) -> None:
    """And nobody says that the terminal has its echo off."""
    pane = tmux_server.new_pane("bash", env={"LC_ALL": locale})
    assert_refused(pane, f"echo {word}")
    assert pane.run("echo on").output == "on\n"


# -- gone with a clear -------------------------------------------------------


@pytest.mark.parametrize("program", ["bash", "dash", "own"])
@pytest.mark.parametrize(
    ("command", "output"),
    [
        (f"{CLEAR}; echo after", "after\n"),
        (f"{CLEAR}; seq 40", "".join(f"{n}\n" for n in range(1, 41))),
        (f"seq 40; {CLEAR}; echo after", "after\n"),
        (f"{CLEAR}; echo {'w' * 160}", "w" * 160 + "\n"),
        (f"{CLEAR}; echo '<b>'", "<b>\n"),
    ],
)
@pytest.mark.parametrize("before", [0, 3, 30])
def test_output_behind_a_clear_is_given_and_it_says_so(
    tmux_server: Server, program: str, command: str, output: str, before: int
) -> None:
    pane = tmux_server.new_pane(CALLED if program == "own" else program)
    pane.run(f"seq {before}")
    for _ in range(2):
        result = pane.run(command)
        assert (result.output, result.cut) == (output, CLEARED)
        assert pane.run("echo on").output == "on\n"
