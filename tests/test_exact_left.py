"""What `Pane.run(exact=True)` refuses, and that nothing stays of its pipe and marks."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from panes import Gate
from runs import eventually

from pytest_tmuxlife import (
    CommandTimeout,
    Pane,
    PaneDied,
    PaneNotReady,
    Program,
    Server,
    TmuxLifeError,
)
from pytest_tmuxlife.terminal.commands import exact

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]
SHELLS = [shell for shell in ("bash", "dash", "zsh", "fish") if shutil.which(shell)]


@pytest.fixture
def pane(tmux_server: Server) -> Pane:
    return tmux_server.new_pane("bash")


def is_piped(server: Server, pane: Pane) -> bool:
    look = ("display-message", "-p", "-t", pane.id, "#{pane_pipe}")
    return server.cmd(*look).stdout == ["1"]


def assert_no_cat(server: Server) -> None:
    """It has exited; tmux waits for it a moment later."""
    names = [one.name for one in server.processes() if one.state != "Z"]
    assert "cat" not in names
    assert "sh" not in names


def open_descriptors() -> list[str]:
    """What they are, but for the one that all waits of this process share."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return sorted(one for one in found if one != "anon_inode:inotify")


@pytest.fixture
def nothing_stays(tmux_server: Server, pane: Pane) -> Iterator[None]:
    """Neither a pipe nor a cat, no file and no descriptor of it."""
    pane.run("true")
    directory = os.path.dirname(os.path.dirname(tmux_server.socket_path))
    files = sorted(os.listdir(directory))
    descriptors = open_descriptors()
    yield
    assert_no_cat(tmux_server)
    assert sorted(os.listdir(directory)) == files
    assert open_descriptors() == descriptors
    if not pane.has_ended:
        assert not is_piped(tmux_server, pane)
        assert pane.run("echo on").output == "on\n"


# -- where it is refused -----------------------------------------------------


def test_pipe_of_the_tested_code_is_left_alone(tmux_server: Server, pane: Pane) -> None:
    tmux_server.cmd("pipe-pane", "-t", pane.id, "cat > piped")
    with pytest.raises(PaneNotReady, match="pane %0 has a pipe already") as caught:
        pane.run("echo no", exact=True)
    assert caught.value.state == "piped"
    assert is_piped(tmux_server, pane)
    assert "echo no" not in pane.history()
    tmux_server.cmd("pipe-pane", "-t", pane.id)
    assert pane.run("echo yes", exact=True).output == "yes\n"


def test_followed_pane_is_refused(pane: Pane) -> None:
    with pane.follow(), pytest.raises(PaneNotReady, match="follow"):
        pane.run("echo no", exact=True)
    assert pane.run("echo yes", exact=True).output == "yes\n"


@pytest.mark.parametrize(
    "program", ["python", Program(["sh", "-i"], prompt="[$#] "), ["cat"]]
)
def test_program_that_does_not_tell_is_refused(
    tmux_server: Server, program: object
) -> None:
    """Before anything is sent."""
    pane = tmux_server.new_pane(program)  # type: ignore[arg-type]
    before = pane.history()
    with pytest.raises(TmuxLifeError, match="exact=True needs a shell"):
        pane.run("print(1)", exact=True)
    assert pane.history() == before
    assert not is_piped(tmux_server, pane)


@pytest.mark.parametrize(
    "change",
    ["PS0=mine", "shopt -u promptvars", "set +o emacs", "unset -f _tmuxlife_mark"],
)
def test_shell_that_marks_no_more_is_refused(
    pane: Pane, nothing_stays: None, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(exact, "PROMPT_LIMIT", 0.5)
    pane.run(change)
    with pytest.raises(PaneNotReady, match="does not mark its output") as caught:
        pane.run("echo no > sent", exact=True)
    assert caught.value.state == "no marks"
    pane.wait_for_prompt()
    assert pane.run("test -e sent").exit_code == 1
    pane.run("PS0=")


def test_copy_mode_is_refused(tmux_server: Server, pane: Pane) -> None:
    pane.run("true")
    tmux_server.cmd("copy-mode", "-t", pane.id)
    with pytest.raises(PaneNotReady, match="copy-mode"):
        pane.run("echo no", exact=True)
    assert not is_piped(tmux_server, pane)


# -- what is left of it ------------------------------------------------------


def test_nothing_stays_of_a_run(pane: Pane, nothing_stays: None) -> None:
    for _ in range(3):
        pane.run("echo here", exact=True)


def test_timeout_has_the_bytes_so_far(pane: Pane, nothing_stays: None) -> None:
    with pytest.raises(CommandTimeout) as caught:
        pane.run("printf 'a\\tb\\033[m'; sleep 100", exact=True, timeout=2)
    assert caught.value.output == "a\tb\x1b[m"
    pane.interrupt()
    pane.wait_for_prompt()


def test_timeout_ends_what_prints_without_end(pane: Pane, nothing_stays: None) -> None:
    with pytest.raises(CommandTimeout) as caught:
        pane.run("yes", exact=True, timeout=1)
    assert caught.value.output.startswith("y\ny\n")
    pane.interrupt()
    pane.wait_for_prompt()


def test_incomplete_command_is_refused_and_cancelled(
    pane: Pane, nothing_stays: None
) -> None:
    with pytest.raises(PaneNotReady, match="is incomplete"):
        pane.run("echo 'open", exact=True)


@pytest.mark.parametrize("remains", [False, True])
@pytest.mark.parametrize("end", ["exit 3", "kill -KILL $$", "exec true"])
def test_end_of_the_shell_ends_the_run(
    tmux_server: Server, remains: bool, end: str
) -> None:
    tmux_server.new_session()
    pane = tmux_server.new_pane("bash", remain_on_exit=remains)
    with pytest.raises(PaneDied):
        pane.run(f"echo last; {end}", exact=True)
    assert_no_cat(tmux_server)


def test_end_of_the_server_ends_the_run(tmux_server: Server, pane: Pane) -> None:
    with pytest.raises(PaneDied):
        pane.run(f"kill {tmux_server.pid}; read -r go", exact=True)
    assert_no_cat(tmux_server)


def test_interrupt_from_the_keyboard_leaves_nothing(
    pane: Pane, nothing_stays: None, gate: Gate
) -> None:
    """C-c of whoever runs the tests."""
    main = threading.get_ident()

    def press() -> None:
        gate.wait_for_reader()
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            pane.run("cat gate", exact=True)
    finally:
        thread.join()
    gate.open()
    pane.wait_for_prompt()


def fish_major() -> int:
    said = subprocess.run(["fish", "--version"], capture_output=True, text=True)
    return int(said.stdout.rpartition(" ")[2].partition(".")[0])


@pytest.mark.parametrize("shell", SHELLS)
def test_without_exact_nothing_is_marked(
    tmux_server: Server, tmp_path: Path, shell: str
) -> None:
    """Nor after it has been; and no paste is bracketed."""
    pane = tmux_server.new_pane(shell)
    assert pane.run("echo marked", exact=True).output == "marked\n"
    sink = tmp_path / "piped"
    tmux_server.cmd("pipe-pane", "-t", pane.id, f"exec cat > {shlex.quote(str(sink))}")
    pane.run("echo one")
    pane.run("echo two")

    def has_come() -> bytes:
        data = sink.read_bytes() if sink.exists() else b""
        return data if data.count(b"two") >= 2 else b""

    data = eventually(has_come, 60)
    assert b"two\r\n" in data
    prompt = pane.launch.house_prompt
    assert prompt is not None
    marks = {
        mark(number) for number in range(1, 6) for mark in (prompt.begins, prompt.ends)
    }
    assert [mark for mark in marks if mark.encode() in data] == []
    assert b"\x1b]133" not in data or (shell == "fish" and fish_major() >= 4)
    # fish 4 asks for brackets whatever it is told; a paste has none there either way.
    assert b"\x1b[?2004" not in data or (shell == "fish" and fish_major() >= 4)


def test_children_see_nothing_of_it(pane: Pane) -> None:
    plain = pane.run("env | sort").output
    assert pane.run("env | sort", exact=True).output == plain


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_screen_shows_nothing_of_it(tmux_server: Server, shell: str) -> None:
    """Row by row the same as without.

    But that bash shows its prompt once more behind output without a final newline.
    """
    shown = []
    for as_bytes in (False, True):
        pane = tmux_server.new_pane(shell)
        for command in ("echo one", "seq 30", "echo " + "x" * 100, "printf two"):
            pane.run(command, exact=as_bytes)
        prompt = pane.launch.house_prompt
        assert prompt is not None
        shown.append(pane.screen().text.replace(prompt.nonce, "nonce"))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("shell", SHELLS)
def test_output_without_a_final_newline_stays_where_it_is(
    tmux_server: Server, shell: str
) -> None:
    pane = tmux_server.new_pane(shell)
    pane.run("printf before")
    pane.run("printf bytes\nprintf after", exact=True)
    rows = [row.partition("[")[0] for row in pane.history().split("\n")]
    assert {"before", "bytes", "after"} <= {row.rstrip("\u23ce") for row in rows}


def test_last_argument_and_status_before_it_are_kept(pane: Pane) -> None:
    """``$_`` and ``$?`` are the last command's."""
    pane.run("sh -c 'exit 7' x last")
    assert pane.run('echo "$? $_"', exact=True).output == "7 last\n"


def test_pipe_is_seen_while_it_runs(
    tmux_server: Server, pane: Pane, gate: Gate
) -> None:
    """The one thing that the tested code can see of it."""
    seen: list[bool] = []

    def look() -> None:
        gate.wait_for_reader()
        seen.append(is_piped(tmux_server, pane))
        gate.open()

    thread = threading.Thread(target=look)
    thread.start()
    pane.run("cat gate", exact=True)
    thread.join()
    assert seen == [True]
    assert not is_piped(tmux_server, pane)
