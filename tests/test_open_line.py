"""A line that is typed and not ended: no prompt for others, until it is gone."""

from __future__ import annotations

import re
import sys

import pytest
from panes import Gate, wait_for_program

from pytest_tmuxlife import Pane, PaneNotReady, Program, Server

pytestmark = [pytest.mark.tmux(timeout=30), pytest.mark.usefixtures("patient")]
NAMES = ["bash", "dash", "zsh", "fish", "python", "sqlite"]
# tmux types once it has answered: what is asked for at once comes before, now and then.
TRIES = 20


def at_prompt(server: Server, program: str | Program) -> Pane:
    pane = server.new_pane(program)
    pane.wait_for_prompt()
    return pane


@pytest.mark.parametrize("way", ["send_text", "paste"])
@pytest.mark.parametrize("name", NAMES)
def test_prompt_is_not_there_for_text_that_is_under_way(
    tmux_server: Server, name: str, way: str
) -> None:
    pane = at_prompt(tmux_server, name)
    for _ in range(TRIES):
        getattr(pane, way)("zz")
        assert not pane.is_at_prompt()
        pane.send_key("BSpace", "BSpace")
        pane.wait_for_prompt()


@pytest.mark.parametrize("name", NAMES)
def test_prompt_is_there_again_once_somebody_else_has_taken_it_out(
    tmux_server: Server, name: str
) -> None:
    pane = at_prompt(tmux_server, name)
    pane.send_text("zz")
    tmux_server.cmd("send-keys", "-t", pane.id, "BSpace", "BSpace")
    pane.wait_for_prompt()


@pytest.mark.parametrize("prompt", [None, "[$#] $"])
def test_prompt_is_there_again_once_a_program_has_read_it(
    tmux_server: Server, gate: Gate, prompt: str | None
) -> None:
    program = "dash" if prompt is None else Program(["dash"], prompt=prompt)
    pane = at_prompt(tmux_server, program)
    pane.send_line("stty -icanon; head -c 2 > /dev/null; stty icanon; cat gate")
    wait_for_program(pane, "head")
    pane.send_text("zz")
    gate.wait_for_reader()
    assert not pane.is_at_prompt()
    gate.open()
    pane.wait_for_prompt()


def test_text_is_not_seen_before_the_program_has_read_it(tmux_server: Server) -> None:
    pane = at_prompt(tmux_server, "bash")
    pane.arrival.expect(2, 1, is_first=True, shows=True)
    # Somebody else's output, which tmux has read, is no sign of it.
    tmux_server.new_pane("echo theirs; exec cat").wait_for_text("theirs")
    assert not pane.arrival.is_seen(canonical=False)
    tmux_server.cmd("send-keys", "-t", pane.id, "zz")
    pane.wait_for_text("zz", scope="line")
    assert pane.arrival.is_seen(canonical=False)


def test_text_is_not_seen_before_tmux_shows_it(tmux_server: Server) -> None:
    pane = at_prompt(tmux_server, "bash")
    pane.arrival.expect(0, 1, is_first=True, shows=True)
    assert not pane.arrival.is_seen(canonical=True)
    tmux_server.cmd("send-keys", "-t", pane.id, "zz")
    pane.wait_for_text("zz", scope="line")
    assert pane.arrival.is_seen(canonical=True)


@pytest.mark.parametrize(
    ("way", "text"),
    [("send_text", "zz"), ("send_line", "zz"), ("paste", "zz"), ("send_key", "Enter")],
)
@pytest.mark.parametrize("name", ["bash", "python"])
def test_nothing_is_owed_for_what_was_refused(
    tmux_server: Server, name: str, way: str, text: str
) -> None:
    pane = at_prompt(tmux_server, name)
    tmux_server.cmd("copy-mode", "-t", pane.id)
    with pytest.raises(PaneNotReady, match="copy-mode"):
        getattr(pane, way)(text)
    tmux_server.cmd("send-keys", "-t", pane.id, "-X", "cancel")
    pane.wait_for_prompt()
    assert not pane.typist.is_pending
    assert pane.run("1" if name == "python" else "echo 1").output == "1\n"


def test_what_was_typed_before_is_known_still_after_a_refusal(
    tmux_server: Server,
) -> None:
    pane = at_prompt(tmux_server, "bash")
    pane.send_text("echo on")
    tmux_server.cmd("copy-mode", "-t", pane.id)
    for send in (pane.send_text, pane.send_line):
        with pytest.raises(PaneNotReady, match="copy-mode"):
            send("lost")
    tmux_server.cmd("send-keys", "-t", pane.id, "-X", "cancel")
    assert not pane.is_at_prompt()
    pane.send_line("e")
    pane.wait_for_prompt()
    assert pane.wait_for_text("one").start() == 0


# -- what no program reads, or shows, or what the screen does not tell ----------------

REPL = "import sys; sys.ps1 = '>>> '"


def python_below_a_shell() -> Program:
    line = f'PYTHON_BASIC_REPL=1 {sys.executable} -q -i -c "{REPL}"; true'
    return Program(["sh", "-c", line], prompt=r"^>>> $")


def test_line_is_empty_again_though_a_program_below_has_read_it(
    tmux_server: Server,
) -> None:
    pane = at_prompt(tmux_server, python_below_a_shell())
    pane.send_text("abc")
    pane.send_key("C-u")
    pane.wait_for_prompt()
    assert pane.run("1").output == "1\n"


def test_line_is_empty_again_though_the_kernel_has_taken_it_out(
    tmux_server: Server, gate: Gate
) -> None:
    env = {"PYTHON_BASIC_REPL": "1"}
    program = Program([sys.executable, "-q", "-i", "-c", REPL], prompt=r"^>>> $")
    pane = tmux_server.new_pane(program, env=env)
    pane.send_line("print('be' + 'gun'); open('gate').read()")
    gate.wait_for_reader()
    pane.wait_for_text("begun")
    pane.send_text("abc")
    pane.send_key("C-u")
    gate.open()
    pane.wait_for_prompt()


@pytest.mark.parametrize("key", ["C-\\", "C-Enter", "C-1", "C-."])
def test_line_is_empty_again_behind_a_key_that_no_program_reads(
    tmux_pane: Pane, key: str
) -> None:
    tmux_pane.send_text("abc")
    tmux_pane.send_key(key)
    tmux_pane.send_key("C-u")
    tmux_pane.wait_for_prompt()


def test_text_under_way_is_awaited_though_another_pane_prints(
    tmux_server: Server,
) -> None:
    pane = at_prompt(tmux_server, "dash")
    tmux_server.new_pane("yes")
    for _ in range(TRIES):
        pane.send_text("zz")
        assert not pane.is_at_prompt()
        pane.send_key("BSpace", "BSpace")
        pane.wait_for_prompt()


def test_half_a_line_that_was_typed_ahead_stands_there_still(
    tmux_server: Server, gate: Gate
) -> None:
    """dash has the kernel edit its lines: that has drawn it above the prompt."""
    pane = at_prompt(tmux_server, "dash")
    pane.send_line("cat gate")
    gate.wait_for_reader()
    pane.send_text("zz")
    gate.open()
    channel = pane.channel
    assert channel is not None
    pane.wait_until(lambda: channel.drain().number > 1 or None, 30, "prompt 2")
    assert not pane.is_at_prompt()
    pane.send_key("Enter")
    pane.wait_for_prompt()
    assert pane.run("echo 1").output == "1\n"


@pytest.mark.parametrize("name", NAMES)
def test_blanks_are_typed_text_too(tmux_server: Server, name: str) -> None:
    pane = at_prompt(tmux_server, name)
    pane.send_text("    ")
    for _ in range(3):
        assert not pane.is_at_prompt()


@pytest.mark.parametrize("name", ["bash", "dash", "zsh", "fish", "python"])
def test_keys_are_typed_text_too(tmux_server: Server, name: str) -> None:
    pane = at_prompt(tmux_server, name)
    pane.send_key("l", "s")
    assert not pane.is_at_prompt()
    pane.wait_for_text("ls", scope="line")
    assert not pane.is_at_prompt()
    pane.send_key("BSpace", "BSpace")
    pane.wait_for_prompt()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "python"])
def test_line_that_a_key_has_recalled_stands_there(
    tmux_server: Server, name: str
) -> None:
    pane = at_prompt(tmux_server, name)
    pane.run("1 + 1" if name == "python" else "echo 2")
    pane.send_key("Up")
    pane.wait_for_text(re.compile("1 . 1|echo 2"), scope="line")
    assert not pane.is_at_prompt()


@pytest.mark.parametrize("name", ["bash", "dash", "zsh", "fish"])
def test_stop_key_at_a_prompt_owes_none(tmux_server: Server, name: str) -> None:
    pane = at_prompt(tmux_server, name)
    pane.send_key("C-z")
    pane.wait_for_prompt()
    assert pane.run("echo 1").output == "1\n"


@pytest.mark.parametrize("name", ["bash", "zsh", "python"])
def test_interrupt_key_right_behind_a_text_is_not_lost(
    tmux_server: Server, name: str
) -> None:
    pane = at_prompt(tmux_server, name)
    for _ in range(TRIES):
        pane.paste("zz")
        pane.send_key("C-c")
        pane.wait_for_prompt()
