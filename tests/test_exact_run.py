"""`Pane.run(exact=True)`: the program's own bytes, and nothing left of their way."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from panes import Gate, tmux
from runs import eventually

from pytest_tmuxlife import (
    CommandFailed,
    CommandTimeout,
    Pane,
    PaneDied,
    PaneNotReady,
    Program,
    Server,
    TmuxLifeError,
)
from pytest_tmuxlife.terminal import exact

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]
SHELLS = [shell for shell in ("bash", "dash", "zsh", "fish") if shutil.which(shell)]
ODD = (
    b"tab\tred\x1b[31m\x1b[m 10%\r100%\x1b[K \0 \xff\xc3 \x07 bs\b"
    b"\x1b[H\x1b[2J\x1b[3J end"
)


@pytest.fixture
def pane(tmux_server: Server) -> Pane:
    return tmux_server.new_pane("bash")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


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


# -- what comes back ---------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\n"])
def test_bytes_are_the_programs_own(
    tmux_server: Server, tmp_path: Path, shell: str, end: bytes
) -> None:
    (tmp_path / "bytes").write_bytes(ODD + end)
    result = tmux_server.new_pane(shell).run("cat bytes", exact=True)
    assert (result.raw, result.exit_code, result.cut) == (ODD + end, 0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_next_command_has_its_own_bytes(tmux_server: Server, shell: str) -> None:
    """With and without."""
    pane = tmux_server.new_pane(shell)
    found = [pane.run(f"printf {n}", exact=n % 3 > 0).output for n in range(9)]
    assert found == [f"{n}" for n in range(9)]


def test_every_byte_comes_back(pane: Pane, tmp_path: Path) -> None:
    """But what the terminal takes for a question, and answers."""
    data = bytes(byte for byte in range(256) if byte not in b"\x05\x1b\x0e") * 40
    (tmp_path / "bytes").write_bytes(data)
    # A line feed gets a return before it, and no other byte is touched.
    assert pane.run("cat bytes", exact=True).raw == data


@pytest.mark.parametrize("shell", SHELLS)
def test_fifty_thousand_lines_are_never_cut(tmux_server: Server, shell: str) -> None:
    pane = tmux_server.new_pane(shell, history_limit=100)
    result = pane.run("seq 1 50000", exact=True)
    assert result.output == "".join(f"{n}\n" for n in range(1, 50_001))
    assert result.cut == ""


def test_megabytes_come_back_whole(pane: Pane) -> None:
    """More than any buffer on their way holds."""
    result = pane.run("head -c 3000000 /dev/zero | tr '\\0' x", exact=True)
    assert result.raw == b"x" * 3_000_000


@pytest.mark.parametrize("shell", SHELLS)
def test_status_comes_with_it(tmux_server: Server, shell: str) -> None:
    pane = tmux_server.new_pane(shell)
    result = pane.run("sh -c 'echo why; exit 3'", exact=True)
    assert (result.exit_code, result.output) == (3, "why\n")
    with pytest.raises(CommandFailed, match="ended with status 4"):
        pane.run("sh -c 'exit 4'", exact=True, check=True)


def test_several_commands_are_joined(tmux_server: Server) -> None:
    for shell in ("bash", "dash"):
        pane = tmux_server.new_pane(shell)
        joined = pane.run("echo a\nfor i in 1 2\ndo echo $i\ndone", exact=True)
        assert joined.output == "a\n1\n2\n"
        assert pane.run("cat <<'E'\nx\n\n  y\nE", exact=True).output == "x\n\n  y\n"


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_syntax_error_is_what_the_shell_says(tmux_server: Server, shell: str) -> None:
    result = tmux_server.new_pane(shell).run("echo )", exact=True)
    assert "yntax error" in result.output
    assert (result.output.count("\n"), result.exit_code) == (1, 2)


@pytest.mark.parametrize("shell", SHELLS)
def test_marks_of_the_program_itself_are_output(
    tmux_server: Server, tmp_path: Path, shell: str
) -> None:
    """Even those of this very command."""
    pane = tmux_server.new_pane(shell)
    prompt = pane.launch.house_prompt
    assert prompt is not None
    texts = [prompt.ends(2), prompt.begins(1), prompt.token(1), "\x1b]133;D\x07"]
    text = "before " + " and ".join(texts) + " after\n"
    (tmp_path / "text").write_text(text)
    assert pane.run("cat text", exact=True).output == text


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
        pane.run("tmux kill-server", exact=True)
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
    assert b"\x1b]133" not in data
    assert b"\x1b[?2004" not in data


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


def test_last_argument_and_status_before_it_are_kept(pane: Pane) -> None:
    """``$_`` and ``$?`` are the last command's."""
    pane.run("sh -c 'exit 7' x last")
    assert pane.run('echo "$? $_"', exact=True).output == "7 last\n"


# -- terminals that were left in another way ---------------------------------


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_terminal_that_does_not_echo_is_no_hindrance(
    tmux_server: Server, shell: str
) -> None:
    pane = tmux_server.new_pane(shell)
    pane.run("stty -echo")
    assert pane.run("echo unseen", exact=True).output == "unseen\n"


@pytest.mark.parametrize("state", ["stty raw", "stty -opost", "stty -onlcr"])
def test_returns_are_taken_off_only_where_the_terminal_adds_them(
    pane: Pane, state: str
) -> None:
    pane.run(state)
    assert pane.run("printf 'a\\r\\nb\\n'", exact=True).output == "a\r\nb\n"


def test_alternate_screen_may_be_left_on(pane: Pane) -> None:
    result = pane.run("printf '\\033[?1049hfull'", exact=True)
    assert result.output == "\x1b[?1049hfull"
    assert pane.run("echo on", exact=True).output == "on\n"


def test_vi_mode_is_no_hindrance(pane: Pane) -> None:
    pane.run("set -o vi")
    assert pane.run("echo on", exact=True).output == "on\n"


def test_panes_run_side_by_side(tmux_server: Server) -> None:
    """Each from a thread of its own."""
    panes = [tmux_server.new_pane("bash") for _ in range(4)]
    found: dict[str, list[str]] = {}

    def work(pane: Pane) -> None:
        found[pane.id] = [
            pane.run(f"echo {pane.id} {n}; seq 2000", exact=n % 2 == 0).output
            for n in range(6)
        ]

    in_threads([lambda pane=pane: work(pane) for pane in panes])  # type: ignore[misc]
    numbers = "".join(f"{n}\n" for n in range(1, 2001))
    assert found == {
        pane.id: [f"{pane.id} {n}\n{numbers}" for n in range(6)] for pane in panes
    }


def in_threads(works: list[Callable[[], None]]) -> None:
    """Do all of it at the same time; what one raises shows as a missing result."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_pipe_is_seen_while_it_runs(
    tmux_server: Server, tmux_env: dict[str, str], pane: Pane, gate: Gate
) -> None:
    """The one thing that the tested code can see of it."""
    seen: list[str] = []

    def look() -> None:
        gate.wait_for_reader()
        seen.extend(
            tmux(tmux_env, "display-message", "-p", "-t", pane.id, "#{pane_pipe}")
        )
        gate.open()

    thread = threading.Thread(target=look)
    thread.start()
    pane.run("cat gate", exact=True)
    thread.join()
    assert seen == ["1"]
    assert not is_piped(tmux_server, pane)
