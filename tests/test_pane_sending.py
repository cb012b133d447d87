"""What is sent arrives whatever reads it, and a prompt is owed for each line of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from panes import Gate, wait_for_program
from texts import WAYS

from pytest_tmuxlife import Pane, PaneNotReady, Server, TmuxLifeError
from pytest_tmuxlife.terminal.dialogue import readiness

pytestmark = [pytest.mark.tmux(timeout=30), pytest.mark.usefixtures("patient")]
SHELLS = ["bash", "dash", "zsh", "fish"]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


def reader(server: Server, stty: str) -> Pane:
    """A cat that keeps what it gets in the file got."""
    pane = server.new_pane("bash")
    pane.send_line(f"stty {stty}; exec cat > got")
    wait_for_program(pane, "cat")
    return pane


def assert_got(pane: Pane, tmp_path: Path, data: bytes) -> None:
    got = tmp_path / "got"
    pane.wait_until(lambda: got.read_bytes() == data or None, 30, repr(data))


# -- a prompt is owed ----------------------------------------------------------------


@pytest.mark.parametrize("way", ["send_text", "paste"])
@pytest.mark.parametrize("name", ["bash", "dash", "zsh"])
def test_prompt_is_owed_for_a_line_feed(
    tmux_server: Server, gate: Gate, name: str, way: str
) -> None:
    """The shell itself waits at the gate, so that nothing else tells."""
    pane = tmux_server.new_pane(name)
    getattr(pane, way)("read line < gate\n")
    gate.wait_for_reader()
    assert not pane.is_at_prompt()
    gate.open()
    pane.wait_for_prompt()


@pytest.mark.parametrize("way", WAYS)
def test_prompt_is_owed_for_each_line(
    tmux_server: Server, gate: Gate, tmp_path: Path, way: str
) -> None:
    pane = tmux_server.new_pane("bash")
    second = Gate(tmp_path / "second")
    end = "" if way == "send_line" else "\n"
    getattr(pane, way)(f"cat gate\ncat second; echo en''ded{end}")
    gate.wait_for_reader()
    gate.open()
    second.wait_for_reader()
    assert not pane.is_at_prompt()
    second.open()
    pane.wait_for_prompt()
    assert "ended" in pane.screen()


@pytest.mark.parametrize("name", SHELLS)
def test_prompt_that_is_wrapped_at_the_edge_is_one(
    tmux_server: Server, name: str
) -> None:
    """Behind output without a final newline."""
    pane = tmux_server.new_pane(name)
    pane.send_line("printf %076d 1")
    pane.wait_for_prompt()
    assert pane.run("echo x").output == "x\n"


@pytest.mark.parametrize("name", SHELLS)
def test_interrupt_at_a_prompt_that_has_just_come(
    tmux_server: Server, name: str
) -> None:
    pane = tmux_server.new_pane(name)
    for _ in range(20):
        pane.interrupt()
        pane.wait_for_prompt()


@pytest.mark.parametrize("rest", ["", "\ttwo"], ids=["at its prompt", "in its line"])
@pytest.mark.parametrize("way", ["send_text", "paste"])
@pytest.mark.parametrize("name", ["bash", "dash", "zsh"])
def test_text_that_ends_inside_a_continuation_prompt(
    tmux_server: Server,
    name: str,
    way: str,
    rest: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is named, and goes on with the next text."""
    monkeypatch.setattr(readiness, "_NO_MORE_COMES", 0.1)
    pane = tmux_server.new_pane(name)
    getattr(pane, way)(f"printf '<%s>' 'one\n{rest}")
    if not rest:
        with pytest.raises(PaneNotReady) as caught:
            pane.wait_for_prompt()
        assert caught.value.state == "continuation prompt"
    assert not pane.is_at_prompt()
    getattr(pane, way)("\tthree' | tr '\\n\\t' NT\n")
    pane.wait_for_prompt()
    assert f"<oneN{rest}Tthree>".replace("\t", "T") in pane.screen()


# -- who gets it -----------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_tabs_in_many_lines_are_no_keys_for_a_line_editor(
    tmux_server: Server, tmp_path: Path, name: str, way: str
) -> None:
    """More than a terminal takes at once, and the editor lets go between lines."""
    text = "".join(f"line\t{number}\t{'y' * 60}\n" for number in range(100))
    pane = tmux_server.new_pane(name)
    getattr(pane, way)(f"printf %s '{text}' > got; echo en''ded")
    if way != "send_line":
        pane.send_key("Enter")
    pane.wait_for_text("ended")
    assert (tmp_path / "got").read_text() == text


def test_output_of_the_first_line_is_found_behind_a_text_of_many(
    tmux_pane: Pane,
) -> None:
    """Although the later ones were typed by themselves."""
    tmux_pane.send_text("echo fi''rst\nprintf '\t'\nprintf '\t'\n")
    tmux_pane.wait_for_text("first")


def test_shell_that_was_replaced_has_no_line_editor(
    tmux_server: Server, tmp_path: Path
) -> None:
    pane = reader(tmux_server, "raw -echo")
    pane.send_text("a\tb\0\x03c")
    assert_got(pane, tmp_path, b"a\tb\0\x03c")


def test_nul_reaches_a_cooked_terminal(tmux_server: Server, tmp_path: Path) -> None:
    pane = reader(tmux_server, "echo")
    pane.send_line("a\0b")
    pane.paste("c\0d\n")
    assert_got(pane, tmp_path, b"a\0b\nc\0d\n")


def test_control_characters_reach_a_terminal_that_quotes_nothing(
    tmux_server: Server, tmp_path: Path
) -> None:
    pane = reader(tmux_server, "-iexten")
    pane.send_line("a\tb\x16\x17")
    assert_got(pane, tmp_path, b"a\tb\x16\x17\n")
    with pytest.raises(TmuxLifeError, match="holds C-d, which the terminal"):
        pane.send_line("a\x04")


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("stty", "text", "message"),
    [
        (
            "-icanon",
            "a\rb",
            "holds C-m, which the terminal takes for itself or changes",
        ),
        ("-icanon", "\x03\x1c", r"holds C-c and C-\\, which"),
        ("-icanon -isig", "\x11\x13", "holds C-q and C-s, which"),
        ("-echo inlcr", "a\nb", "holds C-j, which"),
        ("istrip", "é", "more than ASCII, and the terminal takes the eighth bit off"),
        ("echo", "a\ud800b", "is no text that can be typed"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_text_that_the_terminal_would_change_is_refused_by_name(
    tmux_server: Server, tmp_path: Path, stty: str, text: str, message: str, way: str
) -> None:
    pane = reader(tmux_server, stty)
    with pytest.raises(TmuxLifeError, match=message):
        getattr(pane, way)(text)
    pane.send_text("clean")
    pane.send_key("C-d")
    assert_got(pane, tmp_path, b"clean" if "icanon" not in stty else b"clean\x04")


def test_line_typed_in_pieces_is_refused_once_it_is_too_long(
    tmux_server: Server, tmp_path: Path
) -> None:
    pane = reader(tmux_server, "echo")
    pane.send_text("x" * 3000)
    too_long = "has 4096 bytes with the 3000 typed before; .* takes 4095"
    with pytest.raises(TmuxLifeError, match=too_long):
        pane.send_text("y" * 1096)
    pane.send_line("y" * 1095)
    pane.send_text("z" * 3000)
    pane.send_key("C-u")
    pane.send_line("z" * 3000)
    lines = [b"x" * 3000 + b"y" * 1095, b"z" * 3000, b""]
    assert_got(pane, tmp_path, b"\n".join(lines))


@pytest.mark.parametrize("text", ["a\0b", "a\udcffb"])
def test_what_no_line_editor_takes_is_refused_by_name(
    tmux_pane: Pane, text: str
) -> None:
    with pytest.raises(TmuxLifeError, match=re.compile("line editor")):
        tmux_pane.send_text(text)
    assert tmux_pane.run("echo clean").output == "clean\n"
