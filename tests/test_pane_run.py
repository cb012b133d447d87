"""`Pane.run`: the shell's own status, and what the terminal shows of the output."""

import os
import re
import time
from pathlib import Path

import pytest
from panes import wait_for_program

from pytest_tmuxlife import (
    DASH,
    CommandFailed,
    CommandTimeout,
    Pane,
    PaneDied,
    PaneNotReady,
    Server,
    TmuxLifeError,
)


@pytest.fixture(params=["bash", "dash"])
def shell(request: pytest.FixtureRequest, tmux_server: Server, tmp_path: Path) -> Pane:
    os.mkfifo(tmp_path / "gate")
    return tmux_server.new_pane(request.param)


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("echo one", "one\n"),
        ("printf 'no newline'", "no newline"),
        ("printf 'a\\n\\n\\nb\\n'", "a\n\n\nb\n"),
        ("printf '  both  \\n'", "  both  \n"),
        ("true", ""),
        ("echo", "\n"),
        ("printf 'é 日本 ok\\n'", "é 日本 ok\n"),
        ("seq 1 100", "".join(f"{n}\n" for n in range(1, 101))),
        ("printf '%080d\\n' 7", "0" * 79 + "7\n"),
        ("printf '%0161d\\n' 7", "0" * 160 + "7\n"),
        ("echo 'a;b' ;", "a;b\n"),
        ("echo '#{pane_id} $HOME ~'", "#{pane_id} $HOME ~\n"),
        ('echo "hi!" there', "hi! there\n"),
        ("echo -n; echo '-t %9'", "-t %9\n"),
        ("echo 'tab\there'|tr '\\t' T", "tabThere\n"),
    ],
)
def test_output_is_what_the_terminal_shows(
    shell: Pane, command: str, output: str
) -> None:
    result = shell.run(command)
    assert (result.output, result.exit_code, result.cut) == (output, 0, "")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("true", 0),
        ("false", 1),
        ("(exit 7)", 7),
        ("nosuchcommand", 127),
        ("sh -c 'kill -TERM $$'", 143),
    ],
)
def test_exit_code_is_the_shells_own(shell: Pane, command: str, status: int) -> None:
    assert shell.run(command).exit_code == status


def test_command_longer_than_a_row_is_not_taken_for_output(shell: Pane) -> None:
    word = "x" * 300
    assert shell.run(f"echo {word}").output == word + "\n"


@pytest.mark.parametrize("length", [*range(66, 73), *range(146, 151)])
def test_echo_that_ends_at_the_edge_of_the_screen_is_cut(
    shell: Pane, length: int
) -> None:
    """The prompt and "echo " take 14 or 15 columns: the edge falls into this range."""
    word = "w" * (length - 5)
    assert shell.run(f"echo {word}").output == word + "\n"


@pytest.mark.parametrize("length", [31, 32, 33, 71, 72, 73])
def test_echo_of_wide_characters_that_ends_at_the_edge_is_cut(
    shell: Pane, length: int
) -> None:
    """One of them does not fit into what is left of the first row."""
    word = "\u65e5" * length
    assert shell.run(f"echo {word}").output == word + "\n"


def test_output_equal_to_the_command_is_kept(shell: Pane) -> None:
    assert shell.run("cat <<'E'\ncat <<'E'\nE").output == "cat <<'E'\n"


def test_several_lines_are_one_command(shell: Pane) -> None:
    result = shell.run("for i in 1 2 3; do\necho $i\ndone")
    assert (result.output, result.exit_code) == ("1\n2\n3\n", 0)


def test_status_of_several_commands_is_that_of_the_last(shell: Pane) -> None:
    result = shell.run("echo a\nfalse")
    assert (result.output, result.exit_code) == ("a\n", 1)


def test_each_command_is_told_apart_when_the_screen_scrolls(shell: Pane) -> None:
    for number in range(60):
        assert shell.run(f"echo {number}").output == f"{number}\n"


def test_fifty_thousand_lines_come_back_whole(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("bash", history_limit=60_000)
    result = pane.run("seq 1 50000", timeout=30)
    assert result.output == "".join(f"{n}\n" for n in range(1, 50_001))


def test_output_cut_by_the_history_limit_says_so(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("bash", history_limit=100)
    result = pane.run("seq 1 1000")
    assert result.cut == "the history limit"
    assert result.output.endswith("999\n1000\n")


def test_output_before_a_clear_is_lost_and_it_says_so(shell: Pane) -> None:
    result = shell.run("echo before; printf '\\033[H\\033[2J\\033[3J'; echo after")
    assert (result.cut, result.output) == ("the screen was cleared", "after\n")


def test_prompt_survives_a_virtual_environment(tmux_pane: Pane) -> None:
    """`activate` puts the environment's name before PS1."""
    tmux_pane.run("PS1='(venv) '$PS1")
    assert tmux_pane.run("echo still").output == "still\n"


def test_nothing_of_the_prompt_reaches_children(tmux_pane: Pane) -> None:
    names = tmux_pane.run("env | cut -d= -f1 | sort").output.split()
    foreign = {"PS1", "PROMPT_COMMAND", "ENV", "INPUTRC", "HISTFILE", "_tmuxlife_n"}
    assert not foreign & set(names)
    assert "TMUXLIFE_MARK" in names


def test_run_refuses_while_a_program_is_running(tmux_pane: Pane) -> None:
    tmux_pane.send_line("cat")
    wait_for_program(tmux_pane, "cat")
    with pytest.raises(PaneNotReady, match=r"cat [0-9]+ is running"):
        tmux_pane.run("echo no")
    tmux_pane.send_key("C-d")
    tmux_pane.wait_for_prompt()
    assert tmux_pane.run("echo yes").output == "yes\n"


def test_run_refuses_when_something_is_typed_already(tmux_pane: Pane) -> None:
    tmux_pane.send_text("half a comm")
    with pytest.raises(PaneNotReady):
        tmux_pane.run("echo no")
    tmux_pane.send_key("C-u")
    tmux_pane.wait_for_prompt()
    assert tmux_pane.run("echo yes").output == "yes\n"


def test_run_says_when_somebody_else_has_typed_into_the_pane(
    tmux_server: Server, shell: Pane
) -> None:
    """A status that may be another command's is not given."""
    shell.run("true")
    tmux_server.cmd("send-keys", "-t", shell.id, "-l", "echo theirs; ")
    shell.wait_for_text("theirs", scope="line")
    with pytest.raises(PaneNotReady, match="somebody else had typed"):
        shell.run("echo ours")
    assert shell.run("echo ours").output == "ours\n"


def test_run_is_not_disturbed_by_jobs_that_print_at_the_prompt(shell: Pane) -> None:
    """nohup's own message, and a job's output, land behind the prompt.

    A job of an inner shell: the outer one would tell of its end, in the output
    of whatever command is next.
    """
    assert shell.run("((read go < gate; echo noise; echo more) &)").exit_code == 0
    for number in range(5):
        assert shell.run(f"echo {number}").output == f"{number}\n"
    shell.run("echo go > gate")
    shell.wait_for_text(re.compile("more$", re.MULTILINE), scope="history")
    for number in range(5):
        assert shell.run(f"echo {number}").output == f"{number}\n"


def test_prompt_is_waited_for_although_a_job_printed_behind_it(shell: Pane) -> None:
    shell.send_line("((read go < gate; echo noise) &)")
    shell.wait_for_prompt()
    shell.run("echo go > gate; true")
    shell.wait_for_text(re.compile("noise$", re.MULTILINE), scope="history")
    shell.wait_for_prompt()
    assert shell.run("echo on").output == "on\n"


def test_incomplete_command_is_refused_and_cancelled(shell: Pane) -> None:
    with pytest.raises(PaneNotReady, match="is incomplete"):
        shell.run("echo 'open")
    assert shell.run("echo closed").output == "closed\n"


def test_timeout_has_the_output_so_far(shell: Pane) -> None:
    with pytest.raises(CommandTimeout) as caught:
        shell.run("echo begun; sleep 100", timeout=0.5)
    assert caught.value.output == "begun"
    assert "sleep" in str(caught.value)
    shell.send_key("C-c")
    shell.wait_for_prompt()
    assert shell.run("echo again").output == "again\n"


def test_check_raises_with_status_and_output(shell: Pane) -> None:
    with pytest.raises(CommandFailed, match="ended with status 3") as caught:
        shell.run("echo why; (exit 3)", check=True)
    assert (caught.value.exit_code, caught.value.output) == (3, "why\n")


def test_shell_that_exits_ends_the_run_at_once(shell: Pane) -> None:
    with pytest.raises(PaneDied):
        shell.run("exit 3")


def test_shell_that_is_killed_ends_the_run_at_once(shell: Pane) -> None:
    with pytest.raises(PaneDied):
        shell.run("kill -9 $$")


def test_dead_pane_that_remains_shows_its_screen(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("bash", remain_on_exit=True)
    pane.run("echo last words")
    with pytest.raises(PaneDied, match="last words"):
        pane.run("exit 1")


def test_program_without_a_known_prompt_is_refused(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(["cat"])
    with pytest.raises(PaneNotReady, match="no prompt is known of cat"):
        pane.run("echo no")


def test_background_output_does_not_confuse_the_next_command(tmux_pane: Pane) -> None:
    tmux_pane.run("set +m")
    tmux_pane.run("(sleep 0.2; echo late) &")
    tmux_pane.wait_for_text("late")
    tmux_pane.send_key("Enter")
    tmux_pane.wait_for_prompt()
    assert tmux_pane.run("echo now").output == "now\n"


def test_duration_is_the_commands_own(tmux_pane: Pane) -> None:
    assert 0.3 <= tmux_pane.run("sleep 0.3").duration < 5


@pytest.mark.parametrize("exact", [False, True])
def test_duration_does_not_count_the_command_before(
    tmux_pane: Pane, tmp_path: Path, exact: bool
) -> None:
    tmux_pane.send_line("sleep 0.5; echo > ended")
    duration = tmux_pane.run("true", exact=exact).duration
    ended = (tmp_path / "ended").stat().st_mtime
    assert time.time() - duration >= ended


def test_dash_counts_its_prompts_too(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(DASH)
    assert [pane.run(f"(exit {n})").exit_code for n in range(5)] == [0, 1, 2, 3, 4]


def test_output_that_looks_like_the_prompt_is_output(tmux_pane: Pane) -> None:
    shown = tmux_pane.run('echo "$PS1"').output
    assert shown.startswith("[")
    assert shown.endswith("]$ \n")


def test_trace_of_the_prompts_own_hook_is_no_output(tmux_pane: Pane) -> None:
    tmux_pane.run("set -x")
    assert tmux_pane.run("echo a").output == "+ echo a\na\n"


def test_a_shadowed_printf_does_not_disturb_the_status(tmux_pane: Pane) -> None:
    tmux_pane.run("printf() { builtin echo hacked; }")
    assert tmux_pane.run("(exit 3)").exit_code == 3


def test_terminal_that_does_not_echo_is_named(tmux_pane: Pane) -> None:
    tmux_pane.run("stty -echo")
    with pytest.raises(PaneNotReady, match="does not echo"):
        tmux_pane.run("echo unseen")


@pytest.mark.parametrize("command", ["echo a\r\necho b", "echo \udcff"])
def test_command_whose_echo_cannot_be_known_is_refused(
    tmux_pane: Pane, command: str
) -> None:
    with pytest.raises(TmuxLifeError, match=r"carriage return|no text"):
        tmux_pane.run(command)
    assert tmux_pane.run("echo clean").output == "clean\n"


def test_half_a_line_of_somebody_else_is_not_executed(
    tmux_server: Server, shell: Pane
) -> None:
    """C-u alone would leave what stands behind the cursor."""
    shell.run("true")
    tmux_server.cmd("send-keys", "-t", shell.id, "-l", "echo theirs")
    shell.wait_for_text("theirs", scope="line")
    tmux_server.cmd("send-keys", "-t", shell.id, "C-a")
    with pytest.raises(PaneNotReady, match="somebody else had typed"):
        shell.run("echo ours")
    assert "\ntheirs" not in shell.history()
