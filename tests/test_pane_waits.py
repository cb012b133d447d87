"""Waiting: woken by what is printed, not fooled by the echo, never unbounded."""

import os
import re
import signal
import threading
from collections.abc import Iterator

import pytest
from panes import wait_for_program

from pytest_tmuxlife import (
    CommandTimeout,
    Pane,
    PaneDied,
    PaneNotReady,
    Program,
    Server,
    WaitTimeout,
)
from pytest_tmuxlife.clock import Deadline


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_wait_is_not_fooled_by_the_echo(tmux_server: Server, shell: str) -> None:
    pane = tmux_server.new_pane(shell)
    started = Deadline(60)
    pane.send_line("sleep 1; echo MARK")
    pane.wait_for_text("MARK")
    assert started.elapsed >= 1


def test_wait_is_not_fooled_by_a_wrapped_echo(tmux_pane: Pane) -> None:
    started = Deadline(60)
    tmux_pane.send_line(f"sleep 1; echo {'x' * 200} MARK")
    tmux_pane.wait_for_text("MARK")
    assert started.elapsed >= 1


def test_wait_is_not_fooled_by_text_typed_in_pieces(tmux_pane: Pane) -> None:
    started = Deadline(60)
    for piece in ("sleep 1; ", "echo ", "MARK"):
        tmux_pane.send_text(piece)
    tmux_pane.send_key("Enter")
    tmux_pane.wait_for_text("MARK")
    assert started.elapsed >= 1


def test_wait_is_not_fooled_by_what_is_typed_ahead(tmux_pane: Pane) -> None:
    started = Deadline(60)
    tmux_pane.send_line("sleep 0.5")
    tmux_pane.send_line("sleep 0.5; echo MARK")
    tmux_pane.wait_for_text("MARK")
    assert started.elapsed >= 1


def test_copy_that_a_program_prints_is_found(tmux_pane: Pane) -> None:
    """cat prints what is typed a second time."""
    tmux_pane.send_line("cat")
    wait_for_program(tmux_pane, "cat")
    tmux_pane.send_line("twice")
    match = tmux_pane.wait_for_text("twice")
    assert match.group() == "twice"
    tmux_pane.send_key("C-d")
    tmux_pane.wait_for_prompt()


def test_echo_of_a_raw_cat_without_prompt_is_told_apart(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(["cat"])
    pane.send_line("hello there")
    assert pane.wait_for_text(re.compile("hello (there)")).group(1) == "there"


def test_pattern_may_span_rows(tmux_pane: Pane) -> None:
    tmux_pane.send_line("printf 'one\\ntwo\\n'")
    tmux_pane.wait_for_text(re.compile("one\ntwo"))


def test_text_that_was_there_before_any_send_is_found(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("echo ready; exec cat")
    pane.wait_for_text("ready")


def test_text_from_before_the_send_is_not_found(tmux_pane: Pane) -> None:
    tmux_pane.run("echo old")
    tmux_pane.send_line("true")
    with pytest.raises(WaitTimeout):
        tmux_pane.wait_for_text("old", timeout=0.2)
    tmux_pane.wait_for_text("old", scope="history")


def test_text_that_scrolled_away_is_found(tmux_pane: Pane) -> None:
    tmux_pane.send_line("echo first; seq 1 500; echo done")
    tmux_pane.wait_for_text("done")
    tmux_pane.wait_for_text("first")


def test_text_after_a_clear_is_found(tmux_pane: Pane) -> None:
    tmux_pane.run("seq 1 100")
    tmux_pane.send_line("printf '\\033[H\\033[2J\\033[3J'; echo MARK")
    tmux_pane.wait_for_text("MARK")


def test_text_printed_through_dev_tty_is_found(tmux_pane: Pane) -> None:
    tmux_pane.send_line("sleep 0.3; echo MARK > /dev/tty")
    tmux_pane.wait_for_text("MARK")


def test_text_on_the_alternate_screen_is_found(tmux_pane: Pane) -> None:
    tmux_pane.send_line("printf '\\033[?1049hFULL'; sleep 100")
    tmux_pane.wait_for_text("FULL")
    wait_for_program(tmux_pane, "sleep")
    tmux_pane.send_key("C-c")


def test_text_that_a_full_screen_program_draws_above_the_cursor_is_found(
    tmux_server: Server,
) -> None:
    draw = (
        "printf '\\033[?1049h\\033[20;1H> '; read go; printf '\\033[HABOVE\\033[20;1H'"
    )
    pane = tmux_server.new_pane(f"{draw}; read go")
    pane.wait_for_text("> ")
    pane.send_key("Enter")
    pane.wait_for_text("ABOVE")


def test_scope_line_is_the_line_of_the_cursor(tmux_pane: Pane) -> None:
    tmux_pane.send_line("echo above; printf 'Password: '; cat > /dev/null")
    # Until it is carried out the cursor's line is that of the command.
    tmux_pane.wait_for_text("Password:")
    tmux_pane.wait_for_text("Password:", scope="line")
    with pytest.raises(WaitTimeout):
        tmux_pane.wait_for_text("above", scope="line", timeout=0.2)
    wait_for_program(tmux_pane, "cat")
    tmux_pane.send_key("C-c")


def test_unknown_scope_is_refused_by_name(tmux_pane: Pane) -> None:
    with pytest.raises(Exception, match="scope 'window' is none of screen"):
        tmux_pane.wait_for_text("x", scope="window")  # type: ignore[arg-type]


def test_timeout_shows_pattern_screen_cursor_and_sends(tmux_pane: Pane) -> None:
    tmux_pane.run("echo on the screen")
    tmux_pane.send_line("cat")
    with pytest.raises(WaitTimeout) as caught:
        tmux_pane.wait_for_text("never", timeout=0.3)
    error = caught.value
    message = str(error)
    for part in ("'never'", "0.3 s", "on the screen", "'cat'", "column", "80x24"):
        assert part in message
    assert error.screen is not None
    assert error.cursor == error.screen.cursor
    assert error.timeout == 0.3


def test_wait_ends_at_once_when_the_program_dies(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("sleep 0.3")
    started = Deadline(60)
    with pytest.raises(PaneDied):
        pane.wait_for_text("never", timeout=50)
    assert started.elapsed < 20


def test_wait_ends_at_once_when_the_server_dies(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    killer = threading.Timer(0.3, tmux_server.kill)
    killer.start()
    started = Deadline(60)
    with pytest.raises(PaneDied):
        tmux_pane.wait_for_text("never", timeout=50)
    killer.join()
    assert started.elapsed < 20


@pytest.fixture
def stopped_server(tmux_server: Server, tmux_pane: Pane) -> Iterator[None]:
    """A server that takes connections, and answers to none."""
    os.kill(tmux_server.pid, signal.SIGSTOP)
    yield
    os.kill(tmux_server.pid, signal.SIGCONT)


@pytest.mark.usefixtures("stopped_server")
def test_wait_keeps_its_limit_though_the_server_does_not_answer(
    tmux_pane: Pane,
) -> None:
    """Not the limit of a tmux call, which is longer: 10 s."""
    with pytest.raises(WaitTimeout, match=r"did not answer .*is it stopped") as caught:
        tmux_pane.wait_for_text("never", timeout=0.1)
    assert caught.value.screen is None
    assert caught.value.timeout == 0.1


@pytest.mark.usefixtures("stopped_server")
def test_run_keeps_its_limit_though_the_server_does_not_answer(
    tmux_pane: Pane,
) -> None:
    with pytest.raises(CommandTimeout, match="did not answer") as caught:
        tmux_pane.run("true", timeout=0.1)
    assert caught.value.screen is None


def test_last_words_of_a_program_are_found_if_the_pane_remains(
    tmux_server: Server,
) -> None:
    """They are seen first: tmux can lose what is printed just before the end."""
    program = "echo last words; read go"
    pane = tmux_server.new_pane(program, remain_on_exit=True)
    pane.wait_for_text("last words")
    pane.send_key("Enter")
    pane.wait_until(lambda: pane.has_ended or None, 10, "the end")
    pane.wait_for_text("last words", scope="history")


def test_prompt_comes_back_after_an_interrupt(tmux_pane: Pane) -> None:
    tmux_pane.send_line("sleep 100")
    wait_for_program(tmux_pane, "sleep")
    tmux_pane.send_key("C-c")
    tmux_pane.wait_for_prompt()
    assert tmux_pane.run("echo $?").output == "130\n"


def test_prompt_is_not_believed_while_a_program_runs(tmux_pane: Pane) -> None:
    """The old prompt is on the screen all the time."""
    tmux_pane.send_line("sleep 100")
    with pytest.raises(WaitTimeout, match="foreground: sleep"):
        tmux_pane.wait_for_prompt(timeout=0.3)


def test_prompt_of_a_program_of_ones_own_is_known(tmux_server: Server) -> None:
    loop = "while printf 'mine> '; read line; do echo got $line; done"
    pane = tmux_server.new_pane(Program(["sh", "-c", loop], prompt="mine> "))
    pane.send_line("one")
    pane.wait_for_prompt()
    assert "got one" in pane.screen()


def test_program_without_a_known_prompt_is_refused(tmux_server: Server) -> None:
    with pytest.raises(PaneNotReady, match="no prompt is known of cat"):
        tmux_server.new_pane(["cat"]).wait_for_prompt()


def test_two_panes_are_waited_for_from_two_threads(tmux_server: Server) -> None:
    panes = [tmux_server.new_pane("bash") for _ in range(4)]
    found: list[str] = []

    def wait(pane: Pane, word: str) -> None:
        pane.send_line(f"sleep 0.2; echo {word}")
        found.append(pane.wait_for_text(word).group())

    threads = [
        threading.Thread(target=wait, args=(pane, f"word{number}"))
        for number, pane in enumerate(panes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == ["word0", "word1", "word2", "word3"]


def test_run_after_a_wait_for_the_last_words_finds_the_prompt(tmux_pane: Pane) -> None:
    """The prompt comes a moment after them."""
    for number in range(10):
        tmux_pane.send_line(f"echo word{number}")
        tmux_pane.wait_for_text(f"word{number}")
        assert tmux_pane.run(f"echo {number}").output == f"{number}\n"


def test_waits_leave_no_descriptor_behind(tmux_pane: Pane) -> None:
    tmux_pane.run("true")
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        tmux_pane.run(f"echo {number}")
        tmux_pane.send_line("echo MARK")
        tmux_pane.wait_for_text("MARK")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("question", ["sure? ", "sicher, 日本? "])
def test_blank_behind_a_question_is_in_the_row_of_the_cursor(
    tmux_pane: Pane, question: str
) -> None:
    tmux_pane.send_line(f"read -p '{question}' word")
    asked = re.compile(rf"^{re.escape(question)}$")
    assert tmux_pane.wait_for_text(asked, scope="line")[0] == question
