"""`Pane.run(exact=True)` gives the program's own bytes, whatever it prints."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_tmuxlife import (
    CommandFailed,
    Pane,
    Server,
)

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
