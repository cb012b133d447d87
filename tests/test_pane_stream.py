"""Following what a pane prints, line by line."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from panes import wait_for_program
from runs import eventually

from pytest_tmuxlife import (
    Pane,
    PaneDied,
    PaneNotReady,
    Server,
    ServerNotRunning,
    Session,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.dialogue import pipe
from pytest_tmuxlife.terminal.dialogue.stream import LineStream
from pytest_tmuxlife.terminal.sight.printed import plain_lines

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=30)


def until(lines: LineStream, last: str) -> list[str]:
    """The lines up to that which is *last*."""
    found: list[str] = []
    for line in lines:
        found.append(line)
        if line == last:
            return found
    raise AssertionError(f"no {last!r} in {len(found)} lines")


def cat_below(server: Server) -> psutil.Process | None:
    """What copies the pipe of a pane; a shell at first."""
    below = psutil.Process(server.pid).children()
    return next((child for child in below if child.name() == "cat"), None)


def go_on(server: Server, program: str, **options: object) -> Pane:
    """A pane whose program begins with the first Enter, and ends with the second.

    tmux can lose what is printed just before the end.
    """
    line = f"stty -echo; echo ready; read go; {program}; read go"
    pane = server.new_pane(line, **options)
    pane.wait_for_text("ready")
    return pane


def test_lines_come_as_they_are_printed(tmux_pane: Pane) -> None:
    with tmux_pane.follow() as lines:
        tmux_pane.send_line("seq 1 1000; echo done")
        found = until(lines, "done")
    assert found[-1001:-1] == [str(number) for number in range(1, 1001)]


def test_stream_survives_a_clear(tmux_server: Server) -> None:
    """What a clear takes off the screen at once is there."""
    pane = go_on(tmux_server, "echo one; clear; echo two; printf '\\033c'; echo three")
    with pane.follow() as lines:
        pane.send_key("Enter")
        found = [line for line in until(lines, "three") if line]
    assert found == ["one", "two", "three"]


@pytest.mark.parametrize("remains", [False, True])
def test_stream_ends_with_the_program(tmux_server: Server, remains: bool) -> None:
    """And has all that it printed, the line that was not ended too."""
    tmux_server.new_session()
    program = "seq 1 20000; echo done; printf 'last words'"
    pane = go_on(tmux_server, program, remain_on_exit=remains)
    with pane.follow() as lines:
        pane.send_key("Enter")
        pane.wait_for_text("last words")
        pane.send_key("Enter")
        found = list(lines)
        assert list(lines) == []
    assert found == [*map(str, range(1, 20001)), "done", "last words"]


def test_stream_ends_with_the_server(tmux_server: Server, tmux_pane: Pane) -> None:
    started = Deadline(60)
    with tmux_pane.follow(timeout=50) as lines:
        tmux_server.kill()
        list(lines)
    assert started.elapsed < 20


def test_line_that_does_not_come_shows_the_screen(tmux_pane: Pane) -> None:
    tmux_pane.run("echo on the screen")
    with (
        tmux_pane.follow(timeout=0.2) as lines,
        pytest.raises(WaitTimeout, match="no line on pane %0 in") as caught,
    ):
        next(lines)
    assert "on the screen" in str(caught.value)


def test_stream_of_a_pane_whose_program_has_ended_is_refused(
    tmux_server: Server,
) -> None:
    pane = tmux_server.new_pane("true", remain_on_exit=True)
    pane.wait_for_exit()
    with pytest.raises(PaneDied, match="has ended"):
        pane.follow()


@pytest.mark.parametrize("whole_server", [False, True])
def test_stream_of_a_pane_that_is_gone_is_refused_at_once(
    tmux_server: Server,
    tmux_session: Session,
    monkeypatch: pytest.MonkeyPatch,
    whole_server: bool,
) -> None:
    """Its program ignores the hang-up and goes on; no cat begins for it."""
    monkeypatch.setattr(pipe, "_CAT_LIMIT", 60.0)
    line = "trap '' HUP; echo up; read word; exec sleep 100"
    pane = tmux_session.split(["sh", "-c", line])
    pane.wait_for_text("up")
    if whole_server:
        tmux_server.kill()
    else:
        tmux_server.cmd("kill-pane", "-t", pane.id)
    started = Deadline(60)
    with pytest.raises((PaneDied, ServerNotRunning)):
        pane.follow()
    assert started.elapsed < 40
    pane.signal(signal.SIGKILL)
    pane.wait_gone()


def test_no_time_for_a_line_is_time_for_the_pipe(tmux_pane: Pane) -> None:
    with (
        tmux_pane.follow(timeout=0) as lines,
        pytest.raises(WaitTimeout, match="no line on pane %0 in 0 s"),
    ):
        next(lines)


def test_stream_ends_once_another_program_has_the_pane(tmux_server: Server) -> None:
    pane = go_on(tmux_server, "printf 'last words'")
    with pane.follow() as lines:
        pane.send_key("Enter")
        pane.wait_for_text("last words")
        tmux_server.cmd("respawn-pane", "-k", "-t", pane.id, "exec cat")
        assert "last words" in list(lines)


def test_stream_whose_pipe_is_taken_off_says_so(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    """After what came through it: no line is not the same as no more lines."""
    lines = tmux_pane.follow()
    tmux_pane.send_line("echo before")
    assert until(lines, "before")
    tmux_server.cmd("pipe-pane", "-t", tmux_pane.id)
    tmux_pane.run("echo behind")
    with pytest.raises(TmuxLifeError, match="pipe of pane %0 was taken off"):
        list(lines)
    lines.close()
    assert list(lines) == []


def test_line_that_has_begun_before_the_stream_is_its_rest(
    tmux_server: Server,
) -> None:
    """Also if the program goes to the place where that begins, as fish does."""
    program = "printf before; read go; printf ' no\\r\\033[6Crest\\n'; read go"
    pane = tmux_server.new_pane(f"stty -echo; {program}")
    pane.wait_for_text("before")
    with pane.follow() as lines:
        pane.send_key("Enter")
        assert next(lines) == "rest"


def test_stream_of_a_server_that_is_stopped_says_so(tmux_pane: Pane) -> None:
    with tmux_pane.follow(timeout=0.2) as lines:
        os.kill(tmux_pane.server_pid, signal.SIGSTOP)
        try:
            with pytest.raises(WaitTimeout, match=r"no line on .*is it stopped"):
                next(lines)
        finally:
            os.kill(tmux_pane.server_pid, signal.SIGCONT)


def test_pipe_of_somebody_else_is_left_alone(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_server.cmd("pipe-pane", "-t", tmux_pane.id, "cat > piped")
    with pytest.raises(PaneNotReady, match="pane %0 has a pipe already"):
        tmux_pane.follow()
    look = ("display-message", "-p", "-t", tmux_pane.id, "#{pane_pipe}")
    assert tmux_server.cmd(*look).stdout == ["1"]


def test_pipe_that_took_the_place_of_a_stream_is_left_alone(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    piped = ("display-message", "-p", "-t", tmux_pane.id, "#{pane_pipe}")
    with tmux_pane.follow() as lines:
        cat = eventually(lambda: cat_below(tmux_server), 60)
        assert cat is not None
        cat.kill()
        with pytest.raises(TmuxLifeError, match="or its cat was ended"):
            list(lines)
        tmux_server.cmd("pipe-pane", "-t", tmux_pane.id, "cat > piped")
        assert tmux_server.cmd(*piped).stdout == ["1"]
    assert tmux_server.cmd(*piped).stdout == ["1"]


def test_pane_in_copy_mode_is_followed(tmux_server: Server, tmux_pane: Pane) -> None:
    tmux_server.cmd("copy-mode", "-t", tmux_pane.id)
    with tmux_pane.follow() as lines:
        with open(tmux_pane.terminal, "w") as terminal:
            terminal.write("printed\n")
        until(lines, "printed")


def test_stream_leaves_neither_pipe_nor_descriptor(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_pane.run("true")
    before = len(os.listdir("/proc/self/fd"))
    directory = os.path.dirname(os.path.dirname(tmux_server.socket_path))
    files = sorted(os.listdir(directory))
    for _ in range(3):
        with tmux_pane.follow() as lines:
            tmux_pane.send_line("echo here")
            until(lines, "here")
            tmux_pane.wait_for_prompt()
    look = ("display-message", "-p", "-t", tmux_pane.id, "#{pane_pipe}")
    assert tmux_server.cmd(*look).stdout == ["0"]
    assert len(os.listdir("/proc/self/fd")) == before
    assert sorted(os.listdir(directory)) == files


def test_stream_that_nobody_reads_is_ended_with_the_test(tmux_pane: Pane) -> None:
    """Nor does it hold up the program: tmux keeps what is not read."""
    tmux_pane.follow()
    assert tmux_pane.run("seq 1 100000 | tail -n 1; seq 1 20000").exit_code == 0


def test_line_without_end_is_given_in_pieces(tmux_server: Server) -> None:
    pane = go_on(tmux_server, "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo done")
    with pane.follow() as lines:
        pane.send_key("Enter")
        *pieces, last = until(lines, "done")
    assert last == "done"
    assert len(pieces) > 1
    assert "".join(pieces).strip("x") == ""
    assert sum(map(len, pieces)) == 1_000_000


def test_full_screen_program_is_followed(tmux_pane: Pane) -> None:
    with tmux_pane.follow() as lines:
        tmux_pane.send_line("printf '\\033[?1049h\\033[2J\\033[5;5HFULL\\n'; cat")
        assert "FULL" in next(
            line for line in lines if "\\0" not in line and "F" in line
        )
        wait_for_program(tmux_pane, "cat")
        tmux_pane.send_key("C-c")


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain\r", ["plain"]),
        ("", [""]),
        ("\x1b[1;31mred\x1b[m text", ["red text"]),
        ("\x1b]0;a title\x07text", ["text"]),
        ("\x1bP+q544e\x1b\\text\x1b(B", ["text"]),
        ("10%\r100%", ["100%"]),
        ("longer\rshort", ["shortr"]),
        ("longer\rshort\x1b[K", ["short"]),
        ("longer\r\x1b[2Kshort", ["short"]),
        ("abd\bc", ["abc"]),
        ("working: |\b/\b", ["working: /"]),
        ("working: |\b \bdone", ["working: done"]),
        ("50 %\x1b[2K\x1b[1Gdone", ["done"]),
        ("50 % of it\x1b[1G\x1b[Kdone", ["done"]),
        ("abc\x1b[2Dx", ["axc"]),
        ("a\x1b[3Cb", ["a   b"]),
        ("ab\x1b[1Kc", ["  c"]),
        ("日本\b\bx", ["日x"]),
        ("e\u0301\bx", ["x"]),
        ("a\x1b[999999999999Db", ["b"]),
        ("\x1b[999999999999C\x1b[999999999999C\ra", ["a"]),
        ("a tab\tb", ["a tab\tb"]),
        ("\x1b[H\x1b[2J\x1b[3Jtop", ["top"]),
        ("one\x1b[5;1Htwo", ["one", "two"]),
        ("\x0fbell\x07", ["bell"]),
        ("ünï ☃", ["ünï ☃"]),
    ],
)
def test_line_is_what_it_shows(printed: str, shown: list[str]) -> None:
    assert plain_lines(printed) == shown
