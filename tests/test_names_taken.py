"""What tested code calls its functions and aliases is no matter of the prompt's."""

from __future__ import annotations

import pytest

from pytest_tmuxlife import CommandTimeout, Pane, Server
from pytest_tmuxlife.terminal.programs.presets import SH
from pytest_tmuxlife.terminal.programs.program import Program

pytestmark = pytest.mark.tmux(timeout=30)

TAKEN = {
    "bash": [
        "echo() { :; }; printf() { :; }; command() { :; }; test() { :; }",
        "alias echo=x printf=x builtin=x command=x test=x",
    ],
    "zsh": [
        "echo() { :; }; printf() { :; }; print() { :; }; command() { :; }",
        "alias echo=x printf=x builtin=x command=x print=x",
    ],
    "dash": [
        "echo() { printf 'mock\\n'; }",
        "echo() { :; }; printf() { :; }; command() { :; }",
        "alias echo=x printf=x command=x unset=x",
    ],
    "fish": [
        "function echo; end; function printf; end",
        "function commandline; end; function functions; end",
    ],
}
CASES = [(shell, line) for shell, lines in TAKEN.items() for line in lines]


def runs(pane: Pane, *, exact: bool = False) -> bool:
    """Commands give their output and their status there."""
    failed = pane.run("/bin/echo hi; /bin/sh -c 'exit 3'", exact=exact)
    done = pane.run("/bin/echo hello", exact=exact)
    return (failed.output, failed.exit_code, done.output, done.exit_code) == (
        *("hi\n", 3),
        *("hello\n", 0),
    )


@pytest.mark.parametrize("exact", [False, True], ids=["shown", "exact"])
@pytest.mark.parametrize(("shell", "line"), CASES)
def test_names_of_the_hook_s_commands_are_free(
    tmux_server: Server, shell: str, line: str, exact: bool
) -> None:
    pane = tmux_server.new_pane(shell)
    pane.run(line)
    assert runs(pane, exact=exact)


def test_echo_of_sh_is_free(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(SH)
    pane.run("echo() { printf 'mock\\n'; }")
    assert runs(pane)


@pytest.mark.parametrize("shell", ["dash", SH], ids=["dash", "sh"])
def test_function_that_was_called_echo_stays(
    tmux_server: Server, shell: str | Program
) -> None:
    """The hook takes it away for itself alone."""
    pane = tmux_server.new_pane(shell)
    pane.run("echo() { printf 'mock\\n'; }")
    assert pane.run("echo x").output == "mock\n"
    assert pane.run("echo x").output == "mock\n"


def test_fish_asks_for_the_rest_though_its_command_s_name_is_taken(
    tmux_server: Server,
) -> None:
    pane = tmux_server.new_pane("fish")
    pane.run("function commandline; end")
    assert pane.run("/bin/echo 'a\nb'").output == "a\nb\n"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_other_prompt_for_the_rest_holds_until_the_next_prompt(
    tmux_server: Server, shell: str
) -> None:
    pane = tmux_server.new_pane(shell)
    pane.run("PS2='> '")
    assert pane.run("echo a\\\nb").output == "ab\n"


def test_other_prompt_for_the_rest_that_stays_is_named(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("dash")
    pane.run("PS2='> '")
    with pytest.raises(CommandTimeout, match="was PS2 changed"):
        pane.run("echo a\\\nb", timeout=1)
