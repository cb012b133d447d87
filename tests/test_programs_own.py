"""A program of the user's own, what is seen of a prompt, and programs by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from inner import Inner
from panes import Gate

from pytest_tmuxlife import (
    SQLITE,
    ZSH,
    CommandFailed,
    CommandTimeout,
    Pane,
    PaneDied,
    PaneNotReady,
    Program,
    Server,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.terminal.dialogue import readiness

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=30), pytest.mark.usefixtures("patient")]


# With a cooked terminal, for this shell edits no lines.
SHELL = Program(
    ["dash", "-i"],
    prompt=r"^mine> ",
    continuation=r"^more> ",
    env={"PS1": "mine> ", "PS2": "more> "},
    status="echo $?",
    quit="exit",
)


@pytest.fixture
def shell(tmux_server: Server) -> Pane:
    return tmux_server.new_pane(SHELL)


@pytest.mark.parametrize(
    ("command", "output", "status"),
    [
        ("echo one", "one\n", 0),
        ("printf 'a\\n\\n b \\n'", "a\n\n b \n", 0),
        ("true", "", 0),
        ("(exit 7)", "", 7),
        ("for i in 1 2; do\necho $i\n\ndone", "1\n2\n", 0),
        ("echo a\nfalse", "a\n", 1),
        (f"echo {'x' * 200}", "x" * 200 + "\n", 0),
        (f"echo {'x' * 68}", "x" * 68 + "\n", 0),
        ("echo 'é 日本'", "é 日本\n", 0),
    ],
)
def test_run_needs_no_more_than_a_prompt(
    shell: Pane, command: str, output: str, status: int
) -> None:
    result = shell.run(command)
    assert (result.output, result.exit_code, result.cut) == (output, status, "")


def test_status_of_ones_own_program_is_checked(shell: Pane) -> None:
    with pytest.raises(CommandFailed, match="ended with status 3"):
        shell.run("(exit 3)", check=True)
    shell.run("true", check=True)


def test_line_that_prints_no_status_is_named(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(replace(SHELL, status="echo well"))
    with pytest.raises(PaneNotReady, match="but it printed 'well'"):
        pane.run("true")


def test_incomplete_input_of_ones_own_program_is_cancelled(
    shell: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_NO_MORE_COMES", 0.1)
    with pytest.raises(PaneNotReady, match="was cancelled with C-c"):
        shell.run("echo 'open")
    assert shell.run("echo closed").output == "closed\n"


def test_command_that_does_not_end_is_timed_out_with_its_output(
    shell: Pane, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    with pytest.raises(CommandTimeout) as caught:
        shell.run("echo begun; cat gate", timeout=0.5)
    gate.wait_for_reader()
    assert "begun" in caught.value.output
    gate.open()
    shell.wait_for_prompt()
    assert shell.run("echo on").output == "on\n"


def test_bad_continuation_is_refused_by_name(tmux_server: Server) -> None:
    with pytest.raises(TmuxLifeError, match=r"the continuation '\(' of dash is no"):
        tmux_server.new_pane(replace(SHELL, continuation="("))


@pytest.mark.parametrize("remains", [False, True])
def test_incomplete_command_that_cannot_be_cancelled_is_said_to_be_incomplete(
    tmux_server: Server, remains: bool
) -> None:
    """C-c ends most programs that do nothing about it."""
    script = "printf 'mine> '; read go; printf 'more> '; read go"
    program = Program(["dash", "-c", script], "mine> ", continuation="more> ")
    pane = tmux_server.new_pane(program, remain_on_exit=remains)
    with pytest.raises(PaneNotReady, match="is incomplete") as caught:
        pane.run("begun")
    assert caught.value.state == "continuation prompt"
    assert "ended when C-c was pressed" in str(caught.value)
    pane.wait_for_exit()


@pytest.mark.parametrize("prompt", ["^", "(calc> )?", " *"])
def test_prompt_that_is_seen_everywhere_is_refused(
    tmux_server: Server, prompt: str
) -> None:
    with pytest.raises(TmuxLifeError, match=r"prompt .* of dash matches empty text"):
        tmux_server.new_pane(replace(SHELL, prompt=prompt))


def test_script_that_may_not_be_executed_is_there(
    tmux_server: Server, tmp_path: Path
) -> None:
    script = tmp_path / "script.sh"
    script.write_text("exec cat")
    with pytest.raises(TmuxLifeError, match=r"script\.sh may not be executed"):
        tmux_server.new_pane([str(script)])


# -- where rows do not count up ---------------------------------------------------


@pytest.mark.parametrize("limit", [0, 5, 100])
def test_prompt_is_seen_though_the_pane_keeps_no_further_lines(
    tmux_server: Server, limit: int
) -> None:
    pane = tmux_server.new_pane(SQLITE, history_limit=limit)
    for number in range(60):
        assert pane.run(f".print word{number}").output == f"word{number}\n"


def test_output_beyond_the_history_limit_is_cut_and_it_says_so(
    tmux_server: Server,
) -> None:
    pane = tmux_server.new_pane(SQLITE, history_limit=100)
    result = pane.run(".shell seq 1 1000")
    assert result.cut == "the history limit"
    assert result.output.endswith("999\n1000\n")


def test_prompt_is_seen_after_the_screen_was_cleared(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(SQLITE)
    for _ in range(3):
        result = pane.run(".shell clear")
        assert (result.output, result.cut) == ("", "the screen was cleared")
        assert pane.run(".print after").output == "after\n"


# -- what a pane does that is not at its prompt -------------------------------------


def test_mode_of_tmux_is_named(tmux_server: Server, tmux_pane: Pane) -> None:
    tmux_server.cmd("copy-mode", "-t", tmux_pane.id)
    with pytest.raises(PaneNotReady) as caught:
        tmux_pane.wait_for_prompt(timeout=0.1)
    assert caught.value.state == "copy-mode"
    with pytest.raises(PaneNotReady) as caught:
        tmux_pane.run("true", timeout=0.1)
    assert caught.value.state == "copy-mode"
    tmux_server.cmd("send-keys", "-t", tmux_pane.id, "-X", "cancel")
    assert tmux_pane.run("echo on").output == "on\n"


def test_view_mode_ends_a_wait_for_the_prompt(
    tmux_server: Server, tmux_pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tmux shows there what a command of its own has printed."""
    monkeypatch.setattr(readiness, "_NO_MORE_COMES", 0.1)
    tmux_server.cmd("run-shell", "-t", tmux_pane.id, "echo something")
    with pytest.raises(PaneNotReady) as caught:
        tmux_pane.wait_for_prompt(timeout=60)
    assert caught.value.state == "view-mode"


def test_dead_pane_is_dead(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("bash", remain_on_exit=True)
    with pytest.raises(PaneDied):
        pane.run("exit 3")
    with pytest.raises(PaneDied):
        pane.wait_for_prompt()


def test_lines_of_a_block_that_come_one_by_one_are_waited_for(
    tmux_pane: Pane, tmp_path: Path
) -> None:
    """Continuation prompts on the way are none that last."""
    gate = Gate(tmp_path / "gate")
    tmux_pane.send_line("cat gate")
    gate.wait_for_reader()
    tmux_pane.send_text("for i in 1 2; do\necho $i\ndone\n")
    with pytest.raises(WaitTimeout):
        tmux_pane.wait_for_prompt(timeout=0.2)
    gate.open()
    tmux_pane.wait_for_prompt()


@pytest.mark.parametrize("name", ["bash", "dash"])
def test_output_of_a_line_typed_ahead_is_no_jobs(
    tmux_server: Server, tmp_path: Path, name: str
) -> None:
    """At a dash it stands behind the prompt, where jobs print too."""
    pane = tmux_server.new_pane(name)
    gate, second = Gate(tmp_path / "gate"), Gate(tmp_path / "second")
    pane.send_line("cat gate")
    gate.wait_for_reader()
    pane.send_line("echo AHEAD; read go < second")
    gate.open()
    second.wait_for_reader()
    pane.wait_for_text("AHEAD")
    assert not pane.is_at_prompt()
    second.open()
    pane.wait_for_prompt()
    assert pane.run("echo on").output == "on\n"


# -- by name -----------------------------------------------------------------------


def test_name_of_no_program_is_refused_with_the_valid_ones(
    tmux_server: Server,
) -> None:
    with pytest.raises(TmuxLifeError, match=r"'zhs' is no preset \(bash, zsh, fish,"):
        tmux_server.new_pane("zhs")
    with pytest.raises(TmuxLifeError, match="program not found: fish"):
        tmux_server.new_pane("fish", env={"PATH": "/nonexistent"})


def test_word_that_the_shell_knows_itself_is_a_line(tmux_server: Server) -> None:
    with pytest.raises(PaneDied):
        tmux_server.new_pane("exit").wait_for_text("never")


@pytest.mark.tmux(program="zsh")
def test_marker_takes_a_name(tmux_pane: Pane) -> None:
    assert tmux_pane.run("echo ${ZSH_VERSION:+yes}").output == "yes\n"


@pytest.mark.tmux(program=ZSH)
def test_marker_takes_an_object(tmux_pane: Pane) -> None:
    assert tmux_pane.run("echo ${ZSH_VERSION:+yes}").output == "yes\n"


def test_ini_takes_a_name(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = Inner(pytester, monkeypatch).run(
        """
        def test_it(tmux_pane):
            assert tmux_pane.program == "sqlite3"
            assert tmux_pane.run("select 1 + 1;").output == "2\\n"
        """,
        "-o",
        "tmux_program=sqlite",
    )
    result.assert_outcomes(passed=1)
