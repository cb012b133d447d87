"""How to start an interactive program, and how to know its prompt."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_tmuxlife.errors import TmuxLifeError


@dataclass(frozen=True, slots=True)
class ShellPrompt:
    """A prompt that we gave the shell: ``[nonce:number]$ ``.

    The number goes up with each prompt, so every echo of a command is
    unique; the definition of the prompt itself does not match.
    """

    nonce: str

    def token(self, number: int) -> str:
        """The prompt number *number*, with its final blank."""
        return f"[{self.nonce}:{number}]$ "

    @property
    def continuation(self) -> str:
        """What an incomplete command gets."""
        return f"[{self.nonce}+]> "

    @property
    def pattern(self) -> re.Pattern[str]:
        """Any of its prompts, that for the rest of a command too."""
        return re.compile(rf"\[{self.nonce}(?::\d+\]\$|\+\]>) ?")


@dataclass(frozen=True, slots=True)
class Launch:
    """A program made ready to be started in a pane.

    Attributes:
        argv: What to execute.
        env: Variables for it beyond the server's.
        name: To show.
        prompt: A pattern for the prompt up to the cursor, or None.
        shell_prompt: Set if the shell reports each prompt by the channel.
        channel: Path of the FIFO on which it reports, or "".
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    name: str
    prompt: re.Pattern[str] | None = None
    shell_prompt: ShellPrompt | None = None
    channel: str = ""

    def remove_files(self) -> None:
        """Remove what `Shell.prepare` has made, once its program is gone."""
        for path in (self.channel, self.channel.removesuffix(".fifo") + ".rc"):
            if self.channel:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)


@dataclass(frozen=True)
class Program:
    """An interactive program: how it starts, and its prompt.

    Attributes:
        argv: Program and arguments; looked up in PATH.
        prompt: Regular expression for its prompt, matched against the
            cursor's line up to the cursor; None if it has none.
        env: Variables for it alone.
        name: To show; the program's own name if empty.
    """

    argv: Sequence[str]
    prompt: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def prepare(self, directory: str, path: str | None) -> Launch:
        """Check that it can start, and write the files it starts with.

        Args:
            directory: The server's own, for the files.
            path: The PATH in which it is looked up.

        Raises:
            TmuxLifeError: There is no such program, or a bad pattern.
        """
        argv = resolve(self.argv, path)
        try:
            prompt = re.compile(rf"(?:{self.prompt})\Z") if self.prompt else None
        except re.error as error:
            raise TmuxLifeError(
                f"the prompt {self.prompt!r} of {self.argv[0]} is no regular "
                f"expression: {error}"
            ) from None
        return Launch(argv, dict(self.env), self.name or program_name(argv), prompt)


@dataclass(frozen=True)
class Shell(Program):
    """A shell that starts without the user's files and reports each prompt.

    Attributes:
        rc: Gives the text of its start-up file.
        rc_arguments: Gives the arguments that make it read that file.
        rc_variable: Or the variable that does.
    """

    rc: Callable[[ShellPrompt, str], str] = field(default=lambda prompt, channel: "")
    rc_arguments: Callable[[str], Sequence[str]] = field(default=lambda path: ())
    rc_variable: str = ""

    def prepare(self, directory: str, path: str | None) -> Launch:
        """See `Program.prepare`; makes a start-up file and a FIFO besides."""
        argv = resolve(self.argv, path)
        prompt = ShellPrompt(secrets.token_hex(2))
        stem = f"{directory}/{prompt.nonce}"
        os.mkfifo(stem + ".fifo", 0o600)
        with open(stem + ".rc", "x", encoding="utf-8") as file:
            file.write(self.rc(prompt, stem + ".fifo"))
        env = dict(self.env)
        if self.rc_variable:
            env[self.rc_variable] = stem + ".rc"
        return Launch(
            (argv[0], *self.rc_arguments(stem + ".rc"), *argv[1:]),
            env,
            self.name or program_name(argv),
            None,
            prompt,
            stem + ".fifo",
        )


def _bash_rc(prompt: ShellPrompt, channel: str) -> str:
    # 1<> and never >: opening for writing alone would block the shell for
    # ever once nobody reads. PS1 is set anew each time, for `activate` of a
    # virtual environment changes it. Nothing here is exported.
    # What the hook itself would trace under `set -x` is nobody's output.
    hook = (
        '{ builtin printf "%d %d\\n" "$?" "$((_tmuxlife_n += 1))" '
        f'1<> {shlex.quote(channel)}; PS1="[{prompt.nonce}:$_tmuxlife_n]\\$ "; '
        "} 2>/dev/null"
    )
    return f"""\
bind 'set enable-bracketed-paste off'
unset INPUTRC HISTFILE
set +o histexpand
_tmuxlife_n=0
PROMPT_COMMAND={shlex.quote(hook)}
PS2='{prompt.continuation}'
"""


def _dash_rc(prompt: ShellPrompt, channel: str) -> str:
    report = f'echo "$? $((_tmuxlife_n + 1))" 1<>{shlex.quote(channel)}'
    count = f"[{prompt.nonce}:$((_tmuxlife_n = _tmuxlife_n + 1))]$ "
    return f"""\
unset ENV
_tmuxlife_n=0
PS1={shlex.quote(f"$({report}){count}")}
PS2='{prompt.continuation}'
"""


BASH = Shell(
    ("bash", "-i"),
    env={"INPUTRC": "/dev/null"},
    rc=_bash_rc,
    rc_arguments=lambda path: ("--noprofile", "--rcfile", path),
)
DASH = Shell(("dash", "-i"), rc=_dash_rc, rc_variable="ENV")
SH = Shell(("sh", "-i"), rc=_dash_rc, rc_variable="ENV")

PRESETS: Mapping[str, Program] = {"bash": BASH, "dash": DASH}


def resolve(argv: Sequence[str], path: str | None) -> tuple[str, ...]:
    """The arguments with the program's full path.

    Raises:
        TmuxLifeError: No arguments, an argument that is no text, or no such
            program in PATH.
    """
    if not argv:
        raise TmuxLifeError("a program needs at least its name")
    for word in argv:
        if "\0" in word:
            raise TmuxLifeError(f"argument {word!r} of a program holds a NUL")
    found = _which(argv[0], path)
    if found is None:
        raise TmuxLifeError(
            f"program not found: {argv[0]} (PATH is {path or 'empty'})", program=argv[0]
        )
    return (os.path.abspath(found), *argv[1:])


_found_in: dict[tuple[str, str | None], str] = {}


def _which(name: str, path: str | None) -> str | None:
    """As shutil.which; where a program was found before, it is looked for first."""
    known = _found_in.get((name, path))
    if known is not None and os.access(known, os.X_OK):
        return known
    found = shutil.which(name, path=path)
    if found is not None and path and os.path.isabs(found):
        _found_in[name, path] = found
    return found


def program_name(argv: Sequence[str]) -> str:
    """The program's name without its directory."""
    return os.path.basename(argv[0])


def as_program(program: Program | str | Sequence[str]) -> Program:
    """What a user may give as program: argv, a shell line, or a `Program`."""
    if isinstance(program, Program):
        return program
    if isinstance(program, str):
        if not program.strip():
            raise TmuxLifeError("the shell line is empty")
        return Program(("sh", "-c", program), name=program.split()[0])
    return Program(tuple(program))


def default_shell(path: str | None) -> Program:
    """BASH where there is a bash, else the first shell found."""
    for shell in (BASH, DASH, SH):
        if _which(shell.argv[0], path):
            return shell
    raise TmuxLifeError(f"no bash, dash or sh in PATH ({path or 'empty'})")
