"""The programs that we know: shells that report a status, and REPLs.

None leaves what it was started with to its children: a start-up file takes
variables out of the environment before the first prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.terminal.programs import repls, shells
from pytest_tmuxlife.terminal.programs.program import Launch, Preset, Program, which

BASH = Preset(
    ("bash", "-i"), quit="exit", outfit=shells.bash, has_status=True, exact="marks"
)
ZSH = Preset(
    ("zsh", "-i"),
    quit="exit",
    outfit=shells.zsh,
    has_status=True,
    blank_at_edge=True,
    exact="marks",
)
FISH = Preset(
    ("fish", "-i"),
    quit="exit",
    outfit=shells.fish,
    has_status=True,
    shows_rest=False,
    no_newline="\N{RETURN SYMBOL}",
    # Since 4 it takes an escape sequence apart itself, and drops an unknown one.
    key="\x16!{}",
    echoes_controls=False,
    exact="marks",
)
DASH = Preset(
    ("dash", "-i"), quit="exit", outfit=shells.dash, has_status=True, exact="echo"
)
SH = Preset(("sh", "-i"), quit="exit", outfit=shells.dash, has_status=True)
PYTHON = Preset(("python3",), quit="exit()", outfit=repls.python)
NODE = Preset(("node",), quit=".exit", outfit=repls.node)
GDB = Preset(
    ("gdb",), quit="quit", outfit=repls.gdb, reports=False, continuation="^ *>"
)
SQLITE = Preset(
    ("sqlite3", ":memory:"), quit=".quit", outfit=repls.sqlite, reports=False, cancel=()
)

PRESETS: Mapping[str, Preset] = {
    "bash": BASH,
    "zsh": ZSH,
    "fish": FISH,
    "dash": DASH,
    "python": PYTHON,
    "node": NODE,
    "gdb": GDB,
    "sqlite": SQLITE,
}


# What sh knows itself, though PATH may have no program of that name.
_BUILTINS = (
    ". : alias bg break cd command continue eval exec exit export fg getopts hash jobs "
    "read readonly return set shift times trap type ulimit umask unalias unset wait"
)


@dataclass(frozen=True)
class ShellLine(Program):
    """A line for ``sh -c``."""

    def prepare(self, directory: str, path: str | None) -> Launch:
        """See `Program.prepare`; a single word that is nothing is refused."""
        line = self.argv[-1].strip()
        is_word = re.fullmatch(r"[\w.+-]+", line) is not None
        if is_word and line not in _BUILTINS.split() and which(line, path) is None:
            raise TmuxLifeError(
                f"program {line!r} is no preset ({', '.join(PRESETS)}), and not found "
                f"in PATH ({path or 'empty'})",
                program=line,
            )
        return super().prepare(directory, path)


def as_program(program: Program | str | Sequence[str]) -> Program:
    """What a user may give: a preset's name, a shell line, argv, or a `Program`."""
    if isinstance(program, Program):
        return program
    if isinstance(program, str):
        if not program.strip():
            raise TmuxLifeError("the shell line is empty")
        line = ShellLine(("sh", "-c", program), name=program.split()[0])
        return PRESETS.get(program, line)
    return Program(tuple(program))


def default_shell(path: str | None) -> Program:
    """BASH where there is a bash, else the first shell found."""
    for shell in (BASH, DASH, SH):
        if which(shell.argv[0], path):
            return shell
    raise TmuxLifeError(f"no bash, dash or sh in PATH ({path or 'empty'})")
