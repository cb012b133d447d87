"""A line that is typed and not ended: no prompt for others, until it is gone."""

from __future__ import annotations

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
