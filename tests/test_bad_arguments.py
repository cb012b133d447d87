"""What cannot be given is refused by name, before anything is done."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_tmuxlife import (
    LeakCheck,
    Pane,
    PaneDied,
    Program,
    Server,
    Session,
    TmuxLifeError,
    WaitTimeout,
    expect,
)

pytestmark = pytest.mark.tmux(timeout=30)

NO_SECONDS = ["5", True, -1, -0.001, float("nan"), float("inf"), 10**400, [1]]
NO_TEXT = [None, 5, b"x", ["x"]]


def refusal(call: Callable[..., object], *given: Any, **named: Any) -> str:
    """What the error of the call says, which survives pickling."""
    with pytest.raises(TmuxLifeError) as caught:
        call(*given, **named)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("method", ["send_text", "send_line", "paste"])
def test_what_is_no_text_is_not_typed(tmux_pane: Pane, method: str) -> None:
    for value in NO_TEXT:
        said = refusal(getattr(tmux_pane, method), value)
        assert said == f"text is {value!r}: must be text (a str)"
    assert tmux_pane.run("echo clean").output == "clean\n"


def test_what_is_no_name_is_no_key(tmux_pane: Pane) -> None:
    for value in NO_TEXT:
        said = refusal(tmux_pane.send_key, "x", value)
        assert said.startswith(f"{value!r} is no tmux key")
    assert tmux_pane.run("echo clean").output == "clean\n"


def test_what_is_no_text_is_no_command(tmux_pane: Pane) -> None:
    for value in NO_TEXT:
        said = refusal(tmux_pane.run, value)
        assert said == f"command is {value!r}: must be text (a str)"
    assert tmux_pane.run("echo clean").output == "clean\n"


WAITS: dict[str, Callable[[Pane, Any], object]] = {
    "wait_for_text": lambda pane, seconds: pane.wait_for_text("x", seconds),
    "wait_for_any": lambda pane, seconds: pane.wait_for_any(["x"], seconds),
    "wait_for_prompt": lambda pane, seconds: pane.wait_for_prompt(seconds),
    "wait_until_idle": lambda pane, seconds: pane.wait_until_idle(0.1, seconds),
    "wait_until": lambda pane, seconds: pane.wait_until(bool, seconds, "x"),
    "wait_for_exit": lambda pane, seconds: pane.wait_for_exit(seconds),
    "wait_gone": lambda pane, seconds: pane.wait_gone(seconds),
    "follow": lambda pane, seconds: pane.follow(seconds),
    "to_show": lambda pane, seconds: expect(pane).to_show("x", seconds),
    "to_have_exited": lambda pane, seconds: expect(pane).to_have_exited(0, seconds),
}


@pytest.mark.parametrize("wait", WAITS)
def test_what_is_no_time_is_not_waited(tmux_pane: Pane, wait: str) -> None:
    for value in NO_SECONDS:
        said = refusal(WAITS[wait], tmux_pane, value)
        assert said.startswith(f"timeout is {value!r}: must be seconds, at least 0")


def test_nothing_is_typed_in_no_time(tmux_pane: Pane) -> None:
    """The command would be typed, and its end not waited for."""
    for value in [*NO_SECONDS, 0, 0.0]:
        said = refusal(tmux_pane.run, "echo x", value)
        assert said.startswith(f"timeout is {value!r}: must be seconds, more than 0")
    assert tmux_pane.run("echo clean").output == "clean\n"
    assert "echo x" not in tmux_pane.screen().text


def test_wait_of_no_time_looks_once(tmux_pane: Pane) -> None:
    tmux_pane.run("echo there")
    tmux_pane.wait_for_text("there", 0)
    tmux_pane.wait_for_prompt(0)
    with pytest.raises(WaitTimeout):
        tmux_pane.wait_for_text("absent", 0)


def test_quiet_of_no_time_is_refused(tmux_pane: Pane) -> None:
    for value in [*NO_SECONDS, 0, None]:
        said = refusal(tmux_pane.wait_until_idle, value)
        assert said.startswith(f"quiet is {value!r}: must be seconds, more than 0")


@pytest.mark.parametrize("scope", ["all", None, ["screen"]])
def test_scope_that_is_none_is_refused(tmux_pane: Pane, scope: Any) -> None:
    said = f"scope {scope!r} is none of screen, line, history"
    assert refusal(tmux_pane.wait_for_text, "x", scope=scope) == said
    assert refusal(tmux_pane.wait_for_any, ["x"], scope=scope) == said


def test_look_that_cannot_be_called_is_refused(tmux_pane: Pane) -> None:
    said = refusal(tmux_pane.wait_until, "x", 1, "x")
    assert said.startswith("look is 'x': must be a function")


@pytest.mark.parametrize("code", ["0", 256, -1, 0.5, True])
def test_code_that_no_program_exits_with_is_refused(tmux_pane: Pane, code: Any) -> None:
    said = refusal(expect(tmux_pane).to_have_exited, code)
    assert said == f"code is {code!r}: must be an exit status, 0 to 255"


def test_signal_that_is_no_number_is_refused(tmux_pane: Pane) -> None:
    numbers: list[Any] = [[], "TERM", None]
    for number in numbers:
        said = refusal(tmux_pane.signal, number)
        assert said == f"there is no signal {number!r}"


@pytest.mark.parametrize("word", [None, b"x", ["x"]])
def test_word_that_tmux_cannot_be_given_is_refused(
    tmux_server: Server, word: Any
) -> None:
    said = refusal(tmux_server.cmd, "display-message", word)
    assert said == f"an argument of cmd is {word!r}: must be text (a str)"


def test_half_a_character_for_tmux_is_refused(tmux_server: Server) -> None:
    said = refusal(tmux_server.cmd, "display-message", "-p", "\ud800")
    assert said.startswith(r"argument '\ud800' is no text that can be given")


def test_number_and_path_are_words_for_tmux(tmux_server: Server) -> None:
    number: Any = 5
    assert tmux_server.cmd("display-message", "-p", number).stdout == ["5"]


def test_call_of_no_time_is_refused(tmux_server: Server, tmux_pane: Pane) -> None:
    for seconds in [*NO_SECONDS, 0]:
        said = refusal(tmux_server.cmd, "new-session", timeout=seconds)
        assert said.startswith(f"timeout is {seconds!r}: must be seconds, more than 0")
    for seconds in NO_SECONDS:
        said = refusal(tmux_server.kill, seconds)
        assert said.startswith(f"timeout is {seconds!r}: must be seconds, at least 0")
    assert tmux_server.panes == [tmux_pane]


def test_input_that_is_no_bytes_is_refused(tmux_server: Server) -> None:
    said = refusal(tmux_server.cmd, "load-buffer", "-", stdin="x")
    assert said == "stdin is 'x': must be bytes"


def test_grace_that_cannot_be_waited_is_refused(
    tmux_leaks: LeakCheck, tmux_pane: Pane
) -> None:
    for seconds in NO_SECONDS:
        said = refusal(tmux_leaks.check, seconds)
        assert said.startswith(f"grace is {seconds!r}: must be seconds, at least 0")
        assert refusal(tmux_leaks.assert_none, grace=seconds) == said


@pytest.mark.parametrize("name", [5, b"x", ["x"]])
def test_name_of_a_session_that_is_no_text_is_refused(
    tmux_server: Server, tmux_session: Session, name: Any
) -> None:
    said = f"session name is {name!r}: must be text (a str)"
    assert refusal(tmux_server.new_session, name) == said
    assert refusal(tmux_session.rename, name) == said


def test_split_beside_what_is_no_pane_is_refused(tmux_session: Session) -> None:
    said = refusal(tmux_session.split, beside="%0")
    assert said == "beside is '%0': must be a Pane"


BAD_PROGRAMS: list[tuple[dict[str, Any], str]] = [
    ({"argv": "sh -i"}, "argv of a program is 'sh -i': must be a list of texts"),
    ({"argv": [b"sh"]}, "argv of a program is [b'sh']: must be a list of texts"),
    ({"prompt": 5}, "the prompt 5 of sh is no regular expression of text"),
    ({"prompt": b"x"}, "the prompt b'x' of sh is no regular expression of text"),
    ({"continuation": re.compile(b"x")}, "is no regular expression of text"),
    ({"env": {"A": 5}}, "env of a program: 'A': names and values must be text"),
    ({"env": {"A": "\0"}}, "env of a program: 'A' cannot be a variable"),
    ({"env": ["A"]}, "env of a program: expected a mapping of names to texts"),
    ({"name": 5}, "name of a program is 5: must be text (a str)"),
    ({"status": None}, "status of a program is None: must be text (a str)"),
    ({"cancel": "C-c"}, "cancel of a program is 'C-c': must be a list of texts"),
]


@pytest.mark.parametrize(("attributes", "message"), BAD_PROGRAMS)
def test_program_that_cannot_be_is_refused(
    tmux_server: Server, attributes: dict[str, Any], message: str
) -> None:
    program = Program(**{"argv": ["sh"], **attributes})
    assert message in refusal(tmux_server.new_pane, program)


PROMPTS = [
    "[$#] ",
    re.compile("[$#] "),
    re.compile("(?i)READY> "),
    "(?i)READY> ",
    re.compile("READY>[ ]  # with a comment", re.VERBOSE | re.IGNORECASE),
    "x|ready> ",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_prompt_is_text_or_compiled(
    tmux_server: Server, prompt: str | re.Pattern[str]
) -> None:
    shown = "$ " if "$" in str(prompt) else "ready> "
    program = Program(["sh"], prompt=prompt, env={"PS1": shown, "ENV": ""})
    pane = tmux_server.new_pane(program)
    assert pane.run("echo hello").output == "hello\n"
    assert pane.is_at_prompt()


def test_continuation_is_compiled_too(tmux_server: Server) -> None:
    program = Program(
        ["sh"],
        prompt=re.compile("[$#] "),
        continuation=re.compile("MORE: ", re.IGNORECASE),
        env={"PS1": "$ ", "PS2": "more: "},
    )
    pane = tmux_server.new_pane(program)
    assert pane.run("echo a\\\nb").output == "ab\n"


def test_prompt_of_a_pane_that_is_gone_is_no_answer(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_server.new_session()
    tmux_pane.send_line("exit")
    tmux_pane.wait_gone()
    with pytest.raises(PaneDied):
        tmux_pane.is_at_prompt()


def test_prompt_of_a_server_that_is_gone_is_no_answer(tmux_pane: Pane) -> None:
    tmux_pane.send_line("exit")
    tmux_pane.wait_gone()
    with pytest.raises(PaneDied):
        tmux_pane.is_at_prompt()


@pytest.mark.tmux(remain_on_exit=True)
def test_prompt_of_a_program_that_ended_is_no_answer(tmux_pane: Pane) -> None:
    tmux_pane.send_line("exit")
    tmux_pane.wait_for_exit()
    with pytest.raises(PaneDied):
        tmux_pane.is_at_prompt()


def test_prompt_that_is_busy_is_not_there(tmux_pane: Pane) -> None:
    tmux_pane.send_line("cat")
    assert not tmux_pane.is_at_prompt()
