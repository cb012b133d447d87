"""Every preset alike: prompt, run, echo, interrupt, crash, quit, and no trace of it."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from panes import Gate, wait_for_end
from program_cases import CASES, Case

from pytest_tmuxlife import (
    PYTHON,
    Pane,
    PaneDied,
    PaneNotReady,
    Server,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.terminal.dialogue import readiness
from pytest_tmuxlife.terminal.programs.presets import PRESETS

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=30), pytest.mark.usefixtures("patient")]


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def case(name: str) -> Case:
    return CASES[name]


@pytest.fixture
def pane(name: str, tmux_server: Server) -> Pane:
    return tmux_server.new_pane(name)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


def test_every_preset_is_tried_here() -> None:
    assert set(CASES) == set(PRESETS)


def test_prompt_is_there_when_the_pane_is_made(pane: Pane) -> None:
    assert pane.is_at_prompt()
    pane.wait_for_prompt()
    assert pane.screen().text.rstrip().endswith("]$")


def test_run_gives_output_and_status(pane: Pane, case: Case) -> None:
    result = pane.run(case.say)
    assert (result.output, result.exit_code) == ("MARK\n" + case.also, case.status[0])
    for number in range(30):
        # It scrolls meanwhile.
        said = pane.run(case.say.replace("MARK", f"word{number}")).output
        assert said == f"word{number}\n{case.also}"


def test_missing_final_newline_is_kept(pane: Pane, case: Case) -> None:
    if case.partial:
        assert pane.run(case.partial).output == "MARK"
        assert pane.run(case.say).output == "MARK\n" + case.also


def test_long_command_is_not_taken_for_output(pane: Pane, case: Case) -> None:
    word = "x" * 200
    said = pane.run(case.say.replace("MARK", word)).output
    assert said == word + "\n" + case.also


def test_long_command_is_not_what_a_wait_finds(pane: Pane, case: Case) -> None:
    """An editor may draw its line anew where it reaches the edge."""
    begin = case.say.partition("MARK")[0]
    assert begin
    pane.send_line(case.say.replace("MARK", "x" * 75 + "MARK" + "y" * 75))
    found = pane.wait_for_text(re.compile("x{75}MARKy{75}"))
    assert begin not in found.string


def test_paste_is_as_if_typed(pane: Pane, case: Case) -> None:
    """Without brackets, and a tab is no key."""
    pane.paste(case.say.replace("MARK", "a\tb") + "\n")
    pane.wait_for_text(re.compile(r"^a\s+b$", re.MULTILINE))
    pane.wait_for_prompt()


def test_input_of_several_lines_is_typed_as_it_is_asked_for(
    pane: Pane, case: Case
) -> None:
    assert pane.run(case.many).output == "1\n2\n" + case.also
    assert pane.run(case.say).output == "MARK\n" + case.also


def test_error_is_shown_with_its_status(pane: Pane, case: Case) -> None:
    result = pane.run(case.wrong)
    assert case.message in result.output
    assert result.exit_code == case.status[1]


def test_check_is_refused_where_there_is_no_status(pane: Pane, case: Case) -> None:
    if case.status[0] is None:
        with pytest.raises(TmuxLifeError, match="check=True needs an exit status"):
            pane.run(case.say, check=True)
    else:
        pane.run(case.say, check=True)


def test_incomplete_input_is_named(
    pane: Pane, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_NO_MORE_COMES", 0.1)
    with pytest.raises(PaneNotReady, match="is incomplete") as caught:
        pane.run(case.open)
    assert caught.value.state == "continuation prompt"
    if not case.stays_open:
        assert pane.run(case.say).output == "MARK\n" + case.also


def test_wait_for_a_prompt_says_that_an_input_is_incomplete(
    pane: Pane, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not wait until its limit for what does not come by itself."""
    monkeypatch.setattr(readiness, "_NO_MORE_COMES", 0.1)
    pane.send_line(case.open)
    with pytest.raises(PaneNotReady, match="ends inside a continuation") as caught:
        pane.wait_for_prompt(timeout=60)
    assert caught.value.state == "continuation prompt"


def test_wait_is_not_fooled_by_the_echo(pane: Pane, case: Case, gate: Gate) -> None:
    pane.send_line(case.wait)
    gate.wait_for_reader()
    with pytest.raises(WaitTimeout):
        pane.wait_for_text("MARK", timeout=0.2)
    gate.open()
    pane.wait_for_text("MARK")


def test_run_waits_for_the_end_of_the_command(
    pane: Pane, case: Case, gate: Gate
) -> None:
    def let_through() -> None:
        gate.wait_for_reader()
        gate.open()

    opener = threading.Thread(target=let_through)
    opener.start()
    result = pane.run(case.wait, timeout=60)
    opener.join()
    assert result.output == "MARK\n" + case.also


def test_what_is_typed_ahead_is_no_output(pane: Pane, case: Case, gate: Gate) -> None:
    pane.send_line(case.wait)
    gate.wait_for_reader()
    pane.send_line(case.say.replace("MARK", "AHEAD"))
    with pytest.raises(WaitTimeout):
        pane.wait_for_text("AHEAD", timeout=0.2)
    gate.open()
    pane.wait_for_text("AHEAD")
    pane.wait_for_prompt()
    assert pane.run(case.say).output == "MARK\n" + case.also


@pytest.mark.parametrize("name", [name for name in CASES if name != "dash"])
def test_line_typed_ahead_is_no_prompt_while_it_is_carried_out(
    pane: Pane, case: Case, gate: Gate, tmp_path: Path
) -> None:
    """Although the prompt before it has come, which was not there when it was typed.

    A terminal without a line editor shows it above that prompt, not behind.
    """
    second = Gate(tmp_path / "second")
    pane.send_line(case.wait)
    gate.wait_for_reader()
    pane.send_line(case.wait.replace("gate", "second"))
    gate.open()
    second.wait_for_reader()
    pane.wait_for_text(re.compile(r"\]\$ .*second"), scope="history")
    assert not pane.is_at_prompt()
    second.open()
    pane.wait_for_prompt()
    assert pane.run(case.say).output == "MARK\n" + case.also


def test_busy_program_is_named(pane: Pane, case: Case, gate: Gate) -> None:
    pane.send_line(case.wait)
    gate.wait_for_reader()
    with pytest.raises(PaneNotReady, match="is not at its prompt") as caught:
        pane.run(case.say, timeout=0.2)
    assert caught.value.state == "busy"
    gate.open()
    pane.wait_for_prompt()


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].forge])
def test_prompt_cannot_be_forged(pane: Pane, case: Case, gate: Gate) -> None:
    """Although the output is the very text of the next prompt."""
    prompt, channel = pane.launch.house_prompt, pane.channel
    assert prompt is not None
    assert channel is not None
    token = prompt.token(channel.last.number + 1)
    pane.send_line(case.forge.replace("MARK", token))
    gate.wait_for_reader()
    pane.wait_for_text(re.compile(rf"^{re.escape(token.rstrip())}\s*$"), scope="line")
    assert not pane.is_at_prompt()
    gate.open()
    pane.wait_for_prompt()


def test_interrupt_leads_back_to_the_prompt(pane: Pane, case: Case, gate: Gate) -> None:
    pane.send_line(case.wait)
    gate.wait_for_reader()
    pane.send_key("C-c")
    pane.wait_for_prompt()
    if case.interrupted:
        assert pane.run(case.interrupted).output == "130\n"
    assert pane.run(case.say).output == "MARK\n" + case.also


def test_crash_ends_the_run_at_once(pane: Pane, case: Case) -> None:
    with pytest.raises(PaneDied):
        pane.run(case.die, timeout=600)
    with pytest.raises(PaneDied):
        pane.wait_for_prompt(timeout=600)


def test_quit_ends_the_program(pane: Pane, name: str) -> None:
    pane.send_line(PRESETS[name].quit)
    wait_for_end(pane)


def test_nothing_of_it_reaches_its_children(
    tmux_server: Server, pane: Pane, case: Case, tmp_path: Path
) -> None:
    """They have what those of the bare program have; readline adds the size."""
    wait_for_end(tmux_server.new_pane(f"{case.bare} > bare"))
    bare = variables((tmp_path / "bare").read_text())
    assert "TMUXLIFE_MARK" in bare
    assert variables(pane.run(case.env).output) == bare


def variables(text: str) -> dict[str, str]:
    """What env(1) prints, without what differs from process to process."""
    own = {"_", "PWD", "OLDPWD", "SHLVL", "TMUX", "TMUX_PANE", "LINES", "COLUMNS"}
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, mark, value in pairs if mark and name not in own}


@pytest.mark.parametrize("name", ["python"])
def test_python_leaves_no_name_in_the_session(pane: Pane) -> None:
    names = pane.run("print([n for n in dir() if not n.startswith('__')])").output
    assert names == "[]\n"
    assert pane.run("import sys; print(sys.argv)").output == "['']\n"


def test_python_of_this_run_has_a_prompt_that_is_known(tmux_server: Server) -> None:
    """3.13 and later have a REPL that draws by itself; it is not used."""
    pane = tmux_server.new_pane(replace(PYTHON, argv=(sys.executable,)))
    version = ".".join(map(str, sys.version_info[:2]))
    assert pane.run("import sys; sys.version[:4]").output == f"'{version}'\n"
    assert pane.run("for i in 1, 2:\n    i\n").output == "1\n2\n"


@pytest.mark.parametrize("name", ["node"])
def test_output_that_comes_at_the_prompt_of_node_is_no_typing(
    pane: Pane, case: Case, gate: Gate
) -> None:
    """It draws its prompt anew below that."""
    pane.run("require('fs').readFile('gate', () => console.log('late'))")
    gate.wait_for_reader()
    gate.open()
    pane.wait_for_text("late")
    assert pane.run(case.say).output == "MARK\n" + case.also


@pytest.mark.parametrize("name", ["python"])
def test_prompt_of_python_counts_for_the_repl_alone(pane: Pane) -> None:
    pane.run("import sys")
    assert pane.run("print(sys.ps1); print(sys.ps1)").output == ">>> \n>>> \n"
    assert pane.run("print(3)").output == "3\n"


@pytest.mark.parametrize("name", ["fish"])
def test_fish_suggests_nothing_behind_what_is_typed(pane: Pane) -> None:
    pane.run("echo one two")
    pane.send_text("echo one")
    pane.wait_for_text(re.compile("echo one"), scope="line")
    pane.wait_until_idle(quiet=0.3)
    assert pane.screen().text.rstrip().endswith("$ echo one")


@pytest.mark.parametrize("name", ["fish"])
def test_fish_refuses_what_its_editor_shows_in_another_way(pane: Pane) -> None:
    with pytest.raises(TmuxLifeError, match="holds a control character"):
        pane.run("echo a\tb")
    pane.send_line("printf '%s' 'a\tb' | tr '\\t' T")
    pane.wait_for_text("aTb")


@pytest.mark.parametrize("name", ["fish"])
def test_line_that_fish_keeps_for_its_syntax_is_named(
    pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_NO_MORE_COMES", 0.05)
    for way_out in (["C-c"], ["BSpace", "Enter"]):
        pane.send_line("echo )")
        with pytest.raises(PaneNotReady, match="refused what was sent") as caught:
            pane.wait_for_prompt()
        assert caught.value.state == "refused"
        pane.send_key(*way_out)
        pane.wait_for_prompt()
    assert pane.run("echo on").output == "on\n"
