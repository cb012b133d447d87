"""How to start an interactive program, and how to know its prompt."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_tmuxlife import arguments
from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.terminal.programs.prompts import HousePrompt

_FLAGS = re.compile(r"\A\s*\(\?[aiLmsux]+\)")


@dataclass(frozen=True, slots=True)
class Launch:
    """A program made ready to be started in a pane.

    Attributes:
        argv: What to execute.
        env: Variables for it beyond the server's.
        name: To show.
        prompt: A pattern for the prompt up to the cursor, or None.
        continuation: The same for the prompt of an incomplete input.
        house_prompt: Set if the prompt is one of ours.
        channel: Path of the FIFO on which it reports each prompt, or "".
        has_status: What it reports has the status of the command before.
        status: A line that makes it print that status, or "".
        cancel: Keys that give an incomplete input up.
        exact: How its output is told from all else that the terminal gets: ``marks``
            around it, ``echo`` before it; or "" if it is not.
        edits_lines: It has a line editor in which C-v quotes.
        echoes_controls: That editor shows control characters as a terminal does.
        files: What was made for its start.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    name: str
    prompt: re.Pattern[str] | None = None
    continuation: re.Pattern[str] | None = None
    house_prompt: HousePrompt | None = None
    channel: str = ""
    has_status: bool = False
    status: str = ""
    cancel: tuple[str, ...] = ("C-c",)
    exact: str = ""
    edits_lines: bool = False
    echoes_controls: bool = True
    files: tuple[str, ...] = ()

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """Any prompt of it wherever it stands, if that is ours."""
        return self.house_prompt.pattern if self.house_prompt else None

    def remove_files(self) -> None:
        """Remove what was made for its start, once the program is gone."""
        for path in self.files:
            with contextlib.suppress(FileNotFoundError):
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)


@dataclass(frozen=True)
class Program:
    """An interactive program: how it starts, and what its prompt is.

    Patterns are regular expressions, as text or compiled, matched against the
    cursor's line up to the cursor.

    Attributes:
        argv: Program and arguments; looked up in PATH.
        prompt: Pattern of its prompt; None if it has none. With it,
            `Pane.wait_for_prompt` and `Pane.run` work.
        env: Variables for it. Its children get them too.
        name: To show; the program's own name if empty.
        continuation: Pattern of what it shows for the rest of an incomplete
            input; None if it shows nothing of the kind. With it, `Pane.run`
            takes input of several lines.
        quit: The line that ends it; "" if it has none.
        status: A line that makes it print the exit status of the command
            before, as ``echo $?``; `Pane.run` types it after each command. ""
            if there is no such line: then `CommandResult.exit_code` is None.
        cancel: Keys that give an incomplete input up.
    """

    argv: Sequence[str]
    prompt: str | re.Pattern[str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    continuation: str | re.Pattern[str] | None = None
    quit: str = ""
    status: str = ""
    cancel: Sequence[str] = ("C-c",)

    def prepare(self, directory: str, path: str | None) -> Launch:
        """Check that it can start, and write the files it starts with.

        Args:
            directory: The server's own, for the files.
            path: The PATH in which it is looked up.

        Raises:
            TmuxLifeError: There is no such program, or an attribute that cannot be.
        """
        argv = resolve(self.argv, path)
        self.check()
        return Launch(
            argv,
            dict(self.env),
            self.name or program_name(argv),
            self._compiled("prompt", self.prompt),
            self._compiled("continuation", self.continuation),
            status=self.status,
            cancel=tuple(self.cancel),
        )

    def check(self) -> None:
        """Refuse attributes of another kind by name; patterns are seen to later."""
        for name in ("name", "quit", "status"):
            arguments.text(f"{name} of a program", getattr(self, name))
        arguments.texts("cancel of a program", self.cancel)
        try:
            arguments.environment(self.env)
        except (TypeError, ValueError) as error:
            raise TmuxLifeError(f"env of a program: {error}") from None

    def _compiled(
        self, what: str, pattern: str | re.Pattern[str] | None
    ) -> re.Pattern[str] | None:
        if pattern is None or pattern == "":
            return None
        given = f"the {what} {pattern!r} of {self.argv[0]}"
        try:
            compiled = _ending_with(re.compile(pattern))
        except (re.error, TypeError) as error:
            raise TmuxLifeError(
                f"{given} is no regular expression of text: {error}"
            ) from None
        if compiled.search(""):
            raise TmuxLifeError(
                f"{given} matches empty text: it would be seen in each empty line; a "
                "program without a prompt has prompt=None"
            )
        return compiled


def _ending_with(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """The same up to the end of the text."""
    # Flags in the pattern itself have to stand first.
    given = _FLAGS.sub("", pattern.pattern)
    end = "\n" if pattern.flags & re.VERBOSE else ""
    return re.compile(rf"(?:{given}{end})\Z", pattern.flags)


@dataclass(frozen=True, slots=True)
class Outfit:
    """What a preset is started with, once its prompt and paths are known.

    Attributes:
        first: Arguments before those of ``argv``.
        last: Arguments behind them.
        env: Variables that the program takes out of its environment itself.
        files: Texts to write, by what their path has behind the stem.
    """

    first: Sequence[str] = ()
    last: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset(Program):
    """A program that starts without the user's files, with a prompt of ours.

    Attributes:
        outfit: Gives what it is started with, from its prompt and the stem
            of the paths that are its own: ``STEM.fifo`` is the channel.
        reports: It reports each prompt on the channel.
        has_status: And with it the status of the command before.
        shows_rest: See `HousePrompt`.
        no_newline: The same.
        blank_at_edge: The same.
        key: The same.
        echoes_controls: See `Launch`.
        exact: The same.
    """

    outfit: Callable[[HousePrompt, str], Outfit] = field(
        default=lambda prompt, stem: Outfit()
    )
    reports: bool = True
    has_status: bool = False
    shows_rest: bool = True
    no_newline: str = ""
    blank_at_edge: bool = False
    key: str = "\x1b[133;{}~"
    echoes_controls: bool = True
    exact: str = ""

    def prepare(self, directory: str, path: str | None) -> Launch:
        """See `Program.prepare`; makes start-up files and a FIFO besides."""
        argv = resolve(self.argv, path)
        self.check()
        prompt = HousePrompt(
            secrets.token_hex(2),
            self.shows_rest,
            self.no_newline,
            self.blank_at_edge,
            self.key,
        )
        stem = f"{directory}/{prompt.nonce}"
        outfit = self.outfit(prompt, stem)
        files = [*_written(stem, outfit.files)]
        channel = stem + ".fifo" if self.reports else ""
        if channel:
            os.mkfifo(channel, 0o600)
            files.append(channel)
        continuation = self.continuation or re.escape(prompt.continuation)
        return Launch(
            (argv[0], *outfit.first, *argv[1:], *outfit.last),
            {**self.env, **outfit.env},
            self.name or program_name(argv),
            None if channel else self._compiled("prompt", re.escape(prompt.fixed)),
            None if channel else self._compiled("continuation", continuation),
            prompt,
            channel,
            self.has_status,
            self.status,
            tuple(self.cancel),
            self.exact,
            edits_lines=True,
            echoes_controls=self.echoes_controls,
            files=tuple(files),
        )


def _written(stem: str, files: Mapping[str, str]) -> Sequence[str]:
    """Write *files*; give what is to be removed later."""
    made = []
    for suffix, text in files.items():
        own, _, _ = suffix.partition("/")
        if own != suffix:
            os.mkdir(stem + own, 0o700)
        with open(stem + suffix, "x", encoding="utf-8") as file:
            file.write(text)
        made.append(stem + own)
    return made


def resolve(argv: Sequence[str], path: str | None) -> tuple[str, ...]:
    """The arguments with the program's full path.

    Raises:
        TmuxLifeError: No arguments, an argument that is no text, or no such
            program in PATH.
    """
    if not argv:
        raise TmuxLifeError("a program needs at least its name")
    for word in arguments.texts("argv of a program", argv):
        if "\0" in word:
            raise TmuxLifeError(f"argument {word!r} of a program holds a NUL")
    found = which(argv[0], path)
    if found is None:
        if os.path.isfile(argv[0]) and os.path.dirname(argv[0]):
            raise TmuxLifeError(
                f"program {argv[0]} may not be executed (no x permission); a script "
                "can be given to its interpreter: [interpreter, script]",
                program=argv[0],
            )
        raise TmuxLifeError(
            f"program not found: {argv[0]} (PATH is {path or 'empty'})", program=argv[0]
        )
    return (os.path.abspath(found), *argv[1:])


_found_in: dict[tuple[str, str | None], str] = {}


def which(name: str, path: str | None) -> str | None:
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
