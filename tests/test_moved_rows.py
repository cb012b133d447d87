"""What a wait finds is found too where the rows were cleared or dropped meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest
from panes import Gate

from pytest_tmuxlife import Pane, Server, WaitTimeout, expect
from pytest_tmuxlife.terminal.sight.screen import Grid

pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]
SHELLS = [shell for shell in ("bash", "dash", "zsh", "fish") if shutil.which(shell)]
# As clear(1) sends it, without the history, in another order, and a reset.
CLEARS = {
    "all": r"\033[H\033[2J\033[3J",
    "the screen": r"\033[H\033[2J",
    "the history first": r"\033[3J\033[H\033[2J",
    "reset": r"\033c",
}


def assert_only_new_is_found(pane: Pane) -> None:
    """In a pane that prints no more."""
    pane.wait_for_text("new")
    with pytest.raises(WaitTimeout):
        pane.wait_for_text("old", timeout=0.01)


def build(pane: Pane, shell: str, step: int, rows: int) -> None:
    """Print two words, which the line that is typed does not have, and rows between."""
    if shell == "python":
        words = f"'st' 'ep{step}.', *range({rows}), 'do' 'ne{step}.'"
        pane.send_line(f"print({words}, sep=chr(10))")
    else:
        pane.send_line(f"echo st''ep{step}.; seq {rows}; echo do''ne{step}.")
    pane.wait_for_prompt()


@pytest.mark.parametrize("rows", [5, 12, 60])
@pytest.mark.parametrize("clear", CLEARS)
@pytest.mark.parametrize("before", [5, 60])
def test_first_row_behind_a_clear_is_found(
    tmux_pane: Pane, before: int, clear: str, rows: int
) -> None:
    """Though the rows behind it are more, or fewer, than there were before."""
    tmux_pane.run(f"echo old; seq {before}; echo old")
    tmux_pane.send_line(f"printf '{CLEARS[clear]}'; echo ne''w; seq {rows}")
    tmux_pane.wait_for_prompt()
    assert_only_new_is_found(tmux_pane)


@pytest.mark.parametrize("clear", CLEARS)
@pytest.mark.parametrize("shell", [*SHELLS, "python"])
def test_clear_is_seen_through_in_each_shell(
    tmux_server: Server, shell: str, clear: str
) -> None:
    pane = tmux_server.new_pane(shell)
    if shell == "python":
        pane.run("print('old', *range(8), sep='\\n')")
        pane.send_line(f"print('{CLEARS[clear]}ne' 'w', *range(20), sep='\\n')")
    else:
        pane.run("echo old; seq 8")
        pane.send_line(f"printf '{CLEARS[clear]}'; echo ne''w; seq 20")
    pane.wait_for_prompt()
    assert_only_new_is_found(pane)


def test_each_of_several_screens_is_found(tmux_pane: Pane, gate: Gate) -> None:
    """Each begins with a clear, and has more rows than stood above the send."""
    tmux_pane.run("seq 5")
    steps = "for step in 1 2 3; do clear; echo st''ep $step; seq 15; cat gate; done"
    tmux_pane.send_line(steps)
    for step in range(1, 4):
        tmux_pane.wait_for_text(f"step {step}")
        gate.wait_for_reader()
        tmux_pane.wait_for_text(f"step {step}")
        gate.open()
    tmux_pane.wait_for_prompt()


def test_screen_behind_a_clear_is_expected_whole(tmux_pane: Pane) -> None:
    tmux_pane.run("seq 8")
    tmux_pane.send_line("clear; seq 101 118")
    tmux_pane.wait_for_prompt()
    for number in range(101, 119):
        expect(tmux_pane).to_show(f"{number}")


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "dash"])
def test_key_that_clears_the_screen_leaves_what_was_typed_an_echo(
    tmux_server: Server, shell: str, gate: Gate
) -> None:
    pane = tmux_server.new_pane(shell)
    pane.run("echo old; seq 30")
    pane.send_text("cat gate; echo new")
    pane.wait_for_text("echo new", scope="line")
    pane.send_key("C-l")
    pane.send_key("Enter")
    gate.wait_for_reader()
    with pytest.raises(WaitTimeout):
        pane.wait_for_text("new", timeout=0.2)
    gate.open()
    pane.wait_for_prompt()
    assert_only_new_is_found(pane)


@pytest.mark.parametrize("limit", [0, 10, 100, 1000])
@pytest.mark.parametrize("shell", [*SHELLS, "python"])
def test_each_step_is_found_where_the_oldest_rows_are_dropped(
    tmux_server: Server, shell: str, limit: int
) -> None:
    """A tenth of a full history at once, at another moment of each step."""
    rows = 5 if limit <= 10 else 60
    pane = tmux_server.new_pane(shell, history_limit=limit)
    for step in range(1, 31):
        build(pane, shell, step, rows)
        assert pane.wait_for_any([f"done{step}.", f"step{step}."]) == 1
        for old in (f"done{step - 1}.", f"step{step - 1}."):
            with pytest.raises(WaitTimeout):
                pane.wait_for_text(old, timeout=0.001)


def test_first_of_several_is_found_where_the_oldest_rows_are_dropped(
    tmux_server: Server,
) -> None:
    pane = tmux_server.new_pane("bash", history_limit=100)
    pane.run("seq 200")
    pane.send_line("echo er''ror; seq 60; echo do''ne")
    pane.wait_for_prompt()
    assert "\nerror\n" in pane.history()
    assert pane.wait_for_any(["done", "error"]) == 1


@pytest.mark.parametrize("clear", ["true", "clear"])
def test_answer_of_a_running_program_is_found_whole(
    tmux_server: Server, clear: str
) -> None:
    """The prompt stands above the send, whose rows move."""
    pane = tmux_server.new_pane("bash", history_limit=100)
    steps = f"echo be''fore; read x; {clear}; echo st''ep$x; seq 60; echo do''ne$x"
    for step in range(1, 11):
        pane.run("seq 7")
        pane.send_line(steps)
        pane.wait_for_text("before")
        pane.send_line(f"{step}.")
        pane.wait_for_prompt()
        assert pane.wait_for_any([f"done{step}.", f"step{step}."]) == 1
        with pytest.raises(WaitTimeout):
            pane.wait_for_text("before", timeout=0.001)


def test_copy_of_the_prompt_is_not_taken_for_it(tmux_server: Server) -> None:
    """A program can print what the screen shows."""
    pane = tmux_server.new_pane("bash", history_limit=100)
    for step in range(1, 11):
        pane.run("seq 40")
        show = "tmux capture-pane -p -t $TMUX_PANE | grep st..ep"
        line = f"echo st''ep{step}.; {show}; seq 60; echo do''ne{step}."
        pane.send_line(line)
        pane.wait_for_prompt()
        assert pane.wait_for_any([f"done{step}.", f"step{step}."]) == 1


def test_rows_that_are_wrapped_anew_are_told_from_old_ones(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """Another client makes the window smaller, and then large."""
    tmux_pane.run(f"seq 50; echo {'old' * 50}")
    tmux_pane.send_line("echo ne''w; seq 5")
    tmux_pane.wait_for_prompt()
    for columns in (30, 100):
        tmux_server.cmd("resize-window", "-t", tmux_pane.id, "-x", str(columns))
        assert_only_new_is_found(tmux_pane)


def test_prompt_that_is_written_over_makes_no_old_row_new(
    tmux_pane: Pane,
) -> None:
    """One before it is still kept: the history was not cleared."""
    tmux_pane.run("seq 50; echo old")
    tmux_pane.send_line(r"printf '\033[A\033[2K'; echo ne''w; seq 3")
    tmux_pane.wait_for_prompt()
    assert_only_new_is_found(tmux_pane)


def test_usual_look_is_one_call_to_tmux(
    tmux_pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a prompt, and where a program reads that has it above."""
    looks = 0

    def look(capture: Sequence[str]) -> Grid:
        nonlocal looks
        looks += 1
        return look_of_camera(capture)

    look_of_camera = tmux_pane.camera._look
    tmux_pane.run("seq 5")
    tmux_pane.send_line("echo go''es; cat")
    tmux_pane.wait_for_text("goes")
    monkeypatch.setattr(tmux_pane.camera, "_look", look)
    assert tmux_pane.typist.fresh_lines(tmux_pane.launch.pattern) == ["goes"]
    assert looks == 1
    tmux_pane.send_line("twice")
    tmux_pane.wait_for_text("twice")
    looks = 0
    assert tmux_pane.typist.fresh_lines(tmux_pane.launch.pattern) == ["twice"]
    assert looks == 1
    tmux_pane.send_key("C-d")
    tmux_pane.wait_for_prompt()
