"""Waits are not fooled by the echo: whoever echoes, and however it was typed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from panes import Gate

from pytest_tmuxlife import Pane, Program, Server, WaitTimeout
from pytest_tmuxlife.terminal.typing import tty

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]
SHELLS = [shell for shell in ("bash", "dash", "zsh", "fish") if shutil.which(shell)]
# What is printed is the same as what was typed.
TWIN = "cat gate; cat twin"
# In which an echo is drawn many times over.
A_WHILE = 0.2


def one_line(pane: Pane, gate: Gate) -> None:
    pane.send_line("cat gate; echo MARK")


def wrapped(pane: Pane, gate: Gate) -> None:
    pane.send_line(f"cat gate; echo {'x' * 200} MARK")


def in_pieces(pane: Pane, gate: Gate) -> None:
    for piece in ("cat gate; ", "echo ", "MARK"):
        pane.send_text(piece)
    pane.send_key("Enter")


def several_lines(pane: Pane, gate: Gate) -> None:
    pane.send_text("cat gate\necho MARK\n")


def pasted(pane: Pane, gate: Gate) -> None:
    pane.paste("cat gate\necho MARK\n")


def typed_ahead(pane: Pane, gate: Gate) -> None:
    pane.send_line("cat gate")
    gate.wait_for_reader()
    pane.send_line("echo MARK")


WAYS = [one_line, wrapped, in_pieces, several_lines, pasted, typed_ahead]
IN_PYTHON = [
    "open('gate').read(); print('MARK')",
    f"open('gate').read(); print('{'x' * 200} MARK')",
    "if open('gate').read() == '': print('MARK')\n",
]


def is_secret(pane: Pane) -> bool | None:
    """Its terminal is cooked, and does not echo."""
    modes = tty.modes(pane.terminal)
    return (modes is not None and modes.canonical and not modes.echo) or None


def assert_comes_through_the_gate(pane: Pane, gate: Gate, text: str = "MARK") -> None:
    """It is not there before, however its echo looks; and then it is."""
    gate.wait_for_reader()
    with pytest.raises(WaitTimeout):
        pane.wait_for_text(text, timeout=A_WHILE)
    gate.open()
    pane.wait_for_text(text)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("send", WAYS, ids=lambda send: send.__name__)
def test_echo_of_a_shell_is_not_output(
    tmux_server: Server, gate: Gate, shell: str, send: Callable[[Pane, Gate], None]
) -> None:
    pane = tmux_server.new_pane(shell)
    send(pane, gate)
    assert_comes_through_the_gate(pane, gate)
    pane.wait_for_prompt()
    assert pane.run("echo on").output == "on\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_output_that_equals_the_echo_is_found(
    tmux_server: Server, tmp_path: Path, gate: Gate, shell: str
) -> None:
    (tmp_path / "twin").write_text(TWIN + "\n")
    pane = tmux_server.new_pane(shell)
    pane.send_line(TWIN)
    assert_comes_through_the_gate(pane, gate, TWIN)


@pytest.mark.parametrize("line", IN_PYTHON, ids=["one line", "wrapped", "a block"])
def test_echo_of_python_is_not_output(
    tmux_server: Server, gate: Gate, line: str
) -> None:
    pane = tmux_server.new_pane("python")
    pane.send_line(line)
    assert_comes_through_the_gate(pane, gate)


def test_copy_of_a_cooked_cat_is_output(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(["cat"])
    pane.send_line("MARK")
    pane.wait_for_text("MARK")
    assert pane.history().count("MARK") == 2


def test_answer_to_what_is_not_echoed_is_output(tmux_pane: Pane, gate: Gate) -> None:
    """A password's first sight is in what the program prints of it."""
    tmux_pane.send_line('stty -echo; read -r word; cat gate; stty echo; echo "$word"')
    tmux_pane.wait_until(lambda: is_secret(tmux_pane), 60, "the echo to be off")
    tmux_pane.send_line("MARK")
    assert_comes_through_the_gate(tmux_pane, gate)


def test_echo_of_a_prompt_of_ones_own_is_not_output(
    tmux_server: Server, gate: Gate
) -> None:
    own = Program(["sh", "-i"], prompt=r"[$#] ", env={"PS1": "$ "}, quit="exit")
    pane = tmux_server.new_pane(own)
    pane.send_line("cat gate; echo MARK")
    assert_comes_through_the_gate(pane, gate)
