"""Pasting, resizing, signals, splitting, and how a pane is."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest
from panes import wait_for_program

from pytest_tmuxlife import (
    ExitStatus,
    Pane,
    PaneDied,
    PaneNotReady,
    Server,
    Session,
    TmuxLifeError,
)
from pytest_tmuxlife.clock import Deadline

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=30)

RAW = """
import os, sys, termios, tty
{mode}(0)
with open("received", "wb", buffering=0) as file:
    print("ready", flush=True)
    while data := os.read(0, 65536):
        file.write(data)
"""
DRAWS = """
draw() { printf '\\033[H\\033[2J%s' "$(stty size)"; }
trap draw WINCH
draw
while :; do sleep 0.05; done
"""
CONTROLS = "".join(map(chr, range(1, 32))) + "\x7f"


def received(path: Path, size: int) -> bytes:
    """What a program has written to *path*, once it is that much."""
    deadline = Deadline(30)
    while not path.exists() or path.stat().st_size < size:
        assert not deadline.expired, path.read_bytes() if path.exists() else "nothing"
        select.select([], [], [], 0.01)
    return path.read_bytes()


def raw_program(server: Server, directory: Path, mode: str) -> Pane:
    """Writes what it reads from a raw terminal to the file ``received``."""
    (directory / "raw.py").write_text(RAW.replace("{mode}", mode))
    pane = server.new_pane(["python3", "raw.py"])
    pane.wait_for_text("ready")
    return pane


# -- paste ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["plain", "two\nlines\n", "ünï ☃ 🙂", CONTROLS, "tail;", "#{pid} $HOME"]
)
def test_paste_reaches_a_raw_program_byte_for_byte(
    tmux_server: Server, tmp_path: Path, text: str
) -> None:
    pane = raw_program(tmux_server, tmp_path, "tty.setraw")
    pane.paste(text)
    data = text.encode()
    assert received(tmp_path / "received", len(data)) == data
    assert tmux_server.cmd("list-buffers").stdout == []


@pytest.mark.parametrize("text", ["plain\n", "two\nlines\n", "tab\tC-c\x03 C-v\x16\n"])
def test_paste_reaches_a_cooked_program_byte_for_byte(
    tmux_server: Server, tmp_path: Path, text: str
) -> None:
    pane = tmux_server.new_pane("exec cat > received")
    wait_for_program(pane, "cat")
    pane.paste(text)
    data = text.encode()
    assert received(tmp_path / "received", len(data)) == data


def test_paste_of_a_megabyte_arrives_whole(tmux_server: Server, tmp_path: Path) -> None:
    text = "".join(f"{number:07d}\n" for number in range(125_000))
    pane = tmux_server.new_pane("stty -echo; exec cat > received")
    wait_for_program(pane, "cat")
    pane.paste(text)
    data = text.encode()
    assert received(tmp_path / "received", len(data)) == data


def test_paste_is_in_brackets_if_the_program_has_asked(
    tmux_server: Server, tmp_path: Path
) -> None:
    pane = raw_program(tmux_server, tmp_path, r"print('\033[?2004h'); tty.setraw")
    pane.paste("text")
    expected = b"\x1b[200~text\x1b[201~"
    assert received(tmp_path / "received", len(expected)) == expected


def test_paste_is_no_output(tmux_pane: Pane) -> None:
    """The echo of what was pasted is not what a wait finds."""
    started = Deadline(60)
    tmux_pane.paste("sleep 1; echo MARK")
    tmux_pane.send_key("Enter")
    tmux_pane.wait_for_text("MARK")
    assert started.elapsed >= 1


def test_paste_of_lines_at_a_prompt_runs_them(tmux_pane: Pane) -> None:
    tmux_pane.paste("echo one\necho two\n")
    tmux_pane.wait_for_text("two")
    assert tmux_pane.run("echo three").output == "three\n"


def test_paste_of_nothing_does_nothing(tmux_server: Server, tmux_pane: Pane) -> None:
    tmux_pane.paste("")
    assert tmux_pane.run("echo here").output == "here\n"


def test_paste_leaves_the_user_s_buffers_alone(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_server.cmd("set-buffer", "mine")
    tmux_pane.paste("echo pasted")
    tmux_pane.send_key("Enter")
    tmux_pane.wait_for_text("pasted")
    assert tmux_server.cmd("show-buffer").stdout == ["mine"]


def test_paste_in_copy_mode_is_refused_by_name(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_server.cmd("copy-mode", "-t", tmux_pane.id)
    with pytest.raises(PaneNotReady, match="in copy-mode"):
        tmux_pane.paste("echo lost")
    assert tmux_server.cmd("list-buffers").stdout == []
    tmux_server.cmd("send-keys", "-t", tmux_pane.id, "-X", "cancel")
    assert tmux_pane.run("echo here").output == "here\n"


@pytest.mark.parametrize("name", ["C-c", "C-z", "C-q"])
@pytest.mark.parametrize("way", ["paste", "send_text"])
def test_character_that_a_raw_terminal_takes_is_refused_by_name(
    tmux_server: Server, tmp_path: Path, name: str, way: str
) -> None:
    pane = raw_program(tmux_server, tmp_path, "tty.setcbreak")
    char = chr(ord(name[-1].upper()) ^ 0x40)
    with pytest.raises(TmuxLifeError, match=f"holds {name}, which the terminal takes"):
        getattr(pane, way)(f"a{char}b")
    assert (tmp_path / "received").read_bytes() == b""


def test_line_too_long_for_a_cooked_terminal_is_refused(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(["cat"])
    with pytest.raises(TmuxLifeError, match="has 4096 bytes"):
        pane.paste("x" * 4096)


# -- size ----------------------------------------------------------------------


def test_size_is_that_of_the_terminal_on_return(tmux_pane: Pane) -> None:
    for columns, rows in ((100, 30), (40, 10), (41, 10), (80, 24)):
        tmux_pane.resize(columns, rows)
        assert tmux_pane.screen().size == (columns, rows)
        assert tmux_pane.run("stty size").output == f"{rows} {columns}\n"


def test_program_that_draws_anew_at_another_size_is_waited_for(
    tmux_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "draws").write_text(DRAWS)
    pane = tmux_server.new_pane(["bash", "draws"])
    pane.wait_for_text("24 80")
    pane.resize(60, 20)
    pane.wait_for_text("20 60")


def test_text_from_before_a_resize_is_found_after_it(tmux_pane: Pane) -> None:
    """Rows that were wrapped are one each then, so that it stands further up."""
    tmux_pane.run(f"for n in 1 2 3 4 5 6 7 8 9; do echo {'x' * 100}; done")
    tmux_pane.send_line("echo FIRST; seq 1 12")
    tmux_pane.wait_for_prompt()
    tmux_pane.resize(200, 24)
    tmux_pane.wait_for_text("FIRST")


def test_run_after_a_resize_gives_its_own_output_only(tmux_pane: Pane) -> None:
    tmux_pane.run(f"echo {'x' * 200}")
    tmux_pane.resize(30, 24)
    assert tmux_pane.run("echo after").output == "after\n"


def test_pane_beside_another_is_resized_within_the_window(
    tmux_session: Session,
) -> None:
    other = tmux_session.split()
    other.resize(30, 24)
    assert other.screen().size == (30, 24)
    assert tmux_session.pane.screen().size == (49, 24)
    with pytest.raises(TmuxLifeError, match="tmux made it 78x24, beside 1 more"):
        other.resize(200, 24)


@pytest.mark.parametrize("size", [(0, 24), (80, 20_000), (80, "x")])
def test_size_that_cannot_be_is_refused(tmux_pane: Pane, size: tuple[int, int]) -> None:
    with pytest.raises(TmuxLifeError, match="resize to"):
        tmux_pane.resize(*size)


# -- signals -------------------------------------------------------------------


def test_signal_goes_to_the_first_process(tmux_server: Server) -> None:
    program = (
        "trap 'echo got it; exit 4' USR1; echo ready; while :; do sleep 0.05; done"
    )
    pane = tmux_server.new_pane(program, remain_on_exit=True)
    pane.wait_for_text("ready")
    pane.signal(signal.SIGUSR1)
    assert pane.wait_for_exit() == ExitStatus(4, None)
    with pytest.raises(PaneDied):
        pane.signal(signal.SIGUSR1)


def test_unknown_signal_is_refused(tmux_pane: Pane) -> None:
    with pytest.raises(TmuxLifeError, match="there is no signal 999"):
        tmux_pane.signal(999)


def test_interrupt_ends_what_is_in_the_foreground(tmux_pane: Pane) -> None:
    tmux_pane.send_line("sleep 1000")
    wait_for_program(tmux_pane, "sleep")
    tmux_pane.interrupt()
    tmux_pane.wait_for_prompt()
    assert tmux_pane.run("echo $?").output == "130\n"


# -- split -----------------------------------------------------------------------


def test_split_makes_a_pane_in_the_same_window(tmux_session: Session) -> None:
    right = tmux_session.split()
    below = tmux_session.split(["cat"], below=True, beside=right)
    assert tmux_session.panes == [tmux_session.pane, right, below]
    assert right.run("echo right").output == "right\n"
    assert right.screen().size[0] < 80
    assert below.screen().size[1] < 24
    below.send_line("twice")
    below.wait_for_text("twice")


def test_split_takes_options(tmux_session: Session, tmp_path: Path) -> None:
    (tmp_path / "sub dir").mkdir()
    pane = tmux_session.split("dash", cwd=tmp_path / "sub dir", env={"STAGE": "test"})
    assert pane.run("pwd; echo $STAGE").output == f"{tmp_path}/sub dir\ntest\n"


def test_split_does_not_take_the_size_of_its_own(tmux_session: Session) -> None:
    with pytest.raises(TmuxLifeError, match="split: size is not the new pane's own"):
        tmux_session.split(size=(10, 10))


def test_split_without_room_is_an_error(tmux_server: Server) -> None:
    session = tmux_server.new_session(program=["cat"], size=(2, 2))
    with pytest.raises(TmuxLifeError, match=r"no space for (a )?new pane"):
        session.split(["cat"])


# -- health ------------------------------------------------------------------------


def test_health_of_a_pane_as_it_lives_and_ends(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    pane = tmux_server.new_pane("read go; exit 3", remain_on_exit=True)
    assert pane.health().state == "healthy"
    assert pane.health().is_healthy
    pane.send_key("Enter")
    pane.wait_for_exit()
    health = pane.health()
    assert (health.state, health.exit_status) == ("dead", ExitStatus(3, None))
    assert "has ended with exit status 3" in str(health)
    tmux_server.cmd("kill-pane", "-t", pane.id)
    assert pane.health().state == "missing"
    assert tmux_server.health().is_healthy
    tmux_server.kill()
    assert pane.health().state == tmux_server.health().state == "server-down"


@pytest.mark.tmux(timeout=0.5)
def test_health_of_a_stopped_server(tmux_server: Server, tmux_pane: Pane) -> None:
    """Its pane's program ends meanwhile: nobody takes note of that."""
    os.kill(tmux_server.pid, signal.SIGSTOP)
    try:
        assert tmux_server.health().state == "hung"
        assert tmux_pane.health().state == "hung"
    finally:
        os.kill(tmux_server.pid, signal.SIGCONT)
