"""The tmux commands that make a session or a pane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_tmuxlife.terminal.programs.program import Launch
from pytest_tmuxlife.terminal.start.options import Options
from pytest_tmuxlife.terminal.tmux.client import format_proof, literal

# Printed when something is made; the terminal is last, it could hold a blank.
PANE_FORMAT = "#{pid} #{session_id} #{pane_id} #{pane_pid} #{pane_tty}"


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a window is split.

    Attributes:
        pane: Id of the pane that gives up room.
        is_below: The new one is below it, not to its right.
    """

    pane: str
    is_below: bool


def session_arguments(
    name: str | None, options: Options, launch: Launch, *, remains: bool
) -> list[str]:
    """The command that makes a session of its own for a program.

    Args:
        name: Of the session; tmux counts without one.
        options: Of the session.
        launch: The program.
        remains: Its pane stays when the program has ended, other than by default.
    """
    columns, rows = options.size
    arguments = ["new-session", "-d", "-P", "-F", PANE_FORMAT]
    arguments += ["-x", str(columns), "-y", str(rows)]
    if name is not None:
        arguments += ["-s", literal(format_proof(name))]
    arguments += _program_arguments(options, launch)
    if remains:
        arguments += [";", "set-option", "-w", "remain-on-exit", "on"]
    return arguments


def split_arguments(
    beside: Beside, options: Options, launch: Launch, *, remains: bool
) -> list[str]:
    """The command that makes a pane for a program beside another one."""
    arguments = ["split-window", "-d", "-P", "-F", PANE_FORMAT, "-t", beside.pane]
    arguments.append("-v" if beside.is_below else "-h")
    arguments += _program_arguments(options, launch)
    if remains:
        last = ["-t", beside.pane, "remain-on-exit", "on"]
        arguments += [";", "set-option", "-w", *last]
    return arguments


def _program_arguments(options: Options, launch: Launch) -> list[str]:
    arguments: list[str] = []
    if options.cwd is not None:
        arguments += ["-c", literal(format_proof(options.cwd))]
    for variable, text in {**options.env, **launch.env}.items():
        arguments += ["-e", literal(f"{variable}={text}")]
    arguments.append("--")
    arguments += [literal(word) for word in _never_a_shell_line(launch.argv)]
    return arguments


def _never_a_shell_line(argv: Sequence[str]) -> Sequence[str]:
    # tmux hands a single argument to the user's shell, more than one it executes.
    return argv if len(argv) > 1 else ["/bin/sh", "-c", 'exec "$0"', argv[0]]


def quoted(text: str) -> str:
    """A word of a tmux configuration file that stands for *text*."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
