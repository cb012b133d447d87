"""The output of `Pane.run` beside that of `subprocess.run`, for 300 commands."""

from __future__ import annotations

import ast
import functools
import itertools
import shutil
import subprocess
from collections.abc import Iterator, Sequence

import pytest
from examples_in_docs import ROOT, table
from run_cases import CASES, KINDS, Case

from pytest_tmuxlife import Server

# Longer than by default, for a busy machine.
pytestmark = [
    pytest.mark.tmux(timeout=60),
    pytest.mark.usefixtures("patient"),
]
DIFFERENCES = table(ROOT / "docs" / "reference" / "run-output.md", "differences")[1:]
# zsh takes a prompt behind output without a final newline for the row's beginning.
IN_ZSH = [case for case in CASES if case.ends_rows]
_AT_A_TIME = 60


def parts() -> Iterator[tuple[str, Sequence[Case]]]:
    """Cases by shell and class, none of the parts long."""
    of_shell = {"bash": CASES, "dash": CASES[::3], "zsh": IN_ZSH[::4]}
    for shell, kind in itertools.product(filter(shutil.which, of_shell), KINDS):
        cases = [case for case in of_shell[shell] if case.kind == kind]
        for start in range(0, len(cases), _AT_A_TIME):
            yield shell, cases[start : start + _AT_A_TIME]


PARTS = list(parts())
IDS = [f"{shell}-{cases[0].kind}-{len(cases)}" for shell, cases in PARTS]


@functools.cache
def printed(shell: str, command: str) -> bytes:
    """What the command prints, nobody between."""
    done = subprocess.run(
        [shell, "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.stdout


def keeps_tabs(server: Server) -> bool:
    """As tmux does since 3.7."""
    found = server.cmd("display-message", "-p", "#{version}").stdout[0]
    major, minor = (
        int("".join(filter(str.isdigit, word))) for word in found.split(".")
    )
    return (major, minor) >= (3, 7)


def test_there_are_three_hundred_commands() -> None:
    assert len({case.command for case in CASES}) >= 300


@pytest.mark.parametrize(("shell", "cases"), PARTS, ids=IDS)
def test_exact_output_is_that_of_subprocess(
    tmux_server: Server, shell: str, cases: Sequence[Case]
) -> None:
    """To the byte."""
    pane = tmux_server.new_pane(shell)
    found = {case.command: pane.run(case.command, exact=True).raw for case in cases}
    assert found == {case.command: printed(shell, case.command) for case in cases}


@pytest.mark.parametrize(("shell", "cases"), PARTS, ids=IDS)
def test_shown_output_differs_in_the_documented_ways_only(
    tmux_server: Server, shell: str, cases: Sequence[Case]
) -> None:
    pane = tmux_server.new_pane(shell)
    tabs = keeps_tabs(tmux_server)
    found = {case.command: pane.run(case.command).output for case in cases}
    expected = {
        case.command: case.expected(printed(shell, case.command), keeps_tabs=tabs)
        for case in cases
    }
    # Nothing, or a sign for it, by the version of tmux.
    shown = {command: text.replace("\ufffd", "") for command, text in found.items()}
    assert shown == expected


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: str(row[0]))
def test_table_of_differences_is_true(
    tmux_server: Server, row: tuple[str, ...]
) -> None:
    """Each class is there, with an example."""
    assert sorted({*KINDS} - {"equal"}) == sorted(name for name, *_ in DIFFERENCES)
    kind, command, *texts = (cell.strip("`") for cell in row)
    shown, exact = (ast.literal_eval(text) for text in texts)
    pane = tmux_server.new_pane()
    assert pane.run(command, exact=True).output == exact
    if kind == "tabs" and keeps_tabs(tmux_server):
        shown = exact
    assert pane.run(command).output.replace("\ufffd", "") == shown
