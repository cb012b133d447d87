"""Text and keys on their way into a pane, checked before anything is sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from pytest_tmuxlife import arguments
from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.terminal.tmux.client import literal
from pytest_tmuxlife.terminal.typing.tty import CANONICAL_LINE_LIMIT, TerminalModes

# One message to tmux holds 16384 bytes, with the command around the text.
_CHUNK = 12_000
_CALL = 16_000

_MOVES = {"Up", "Down", "Left", "Right", "Home", "End"}
_PAGES = {"NPage", "PageDown", "PgDn", "PPage", "PageUp", "PgUp"}
_EDITS = {"BSpace", "BTab", "DC", "Delete", "Enter", "Escape", "IC", "Insert"}
_FUNCTIONS = {f"F{number}" for number in range(1, 13)}
KEY_NAMES = frozenset(_MOVES | _PAGES | _EDITS | _FUNCTIONS | {"Space", "Tab"})
# A caret alone, or behind a modifier, is the key of that name.
_MODIFIERS = re.compile(r"(?:\^(?=.))?(?:[CMS]-)*", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
# Keys that end a line, or bring a new prompt.
ENTER_KEYS = frozenset({"Enter", "C-m", "C-j"})
# What the terminal makes a signal of.
SIGNAL_KEYS = frozenset({"C-c", "C-z", "C-\\"})
LINE_ENDING_KEYS = ENTER_KEYS | {"C-c", "C-z"}
# Behind them it is not known what of a line is left.
_ERASING_KEYS = frozenset({"BSpace", "C-d", "C-h", "C-u", "C-w"})
EMPTYING_KEYS = LINE_ENDING_KEYS | SIGNAL_KEYS | _ERASING_KEYS


def encoded(text: str) -> bytes:
    """As it goes to the terminal: a byte that is no character stands for itself."""
    return text.encode("utf-8", "surrogateescape")


def check_key(key: str) -> str:
    """Return *key* if it is a key of tmux.

    tmux types a name that it does not know as text.

    Raises:
        TmuxLifeError: It is none; says how keys are written.

    Source: tmux(1), KEY BINDINGS.
    """
    if isinstance(key, str):
        _, base = parts_of(key)
        if (len(base) == 1 and base.isprintable()) or base in KEY_NAMES:
            return key
    raise TmuxLifeError(
        f"{key!r} is no tmux key; keys are single characters, or "
        f"{', '.join(sorted(KEY_NAMES))}, with C-, M- or S- before them; for text "
        "use send_text",
        key=key,
    )


def parts_of(key: str) -> tuple[str, str]:
    """The modifiers of *key* (``C``, ``M``, ``S``), and what they modify."""
    match = _MODIFIERS.match(key)
    assert match is not None
    given = match[0].replace("^", "C").replace("-", "")
    return "".join(sorted(set(given))), key[match.end() :]


def check_text(
    text: str, modes: TerminalModes | None, *, edited: bool = False, before: int = 0
) -> str:
    """Return *text* if it can arrive whole.

    Args:
        text: What is to be typed.
        modes: Of the terminal: a cooked one edits lines itself, and drops what is
            too long; None if they are not known.
        edited: A line editor that we know gets it, for the terminal is not cooked.
        before: Bytes that stand in the line already.

    Raises:
        TmuxLifeError: It holds what is no character, a line too long for the
            terminal, or a character that the terminal or the editor would take
            for itself or change.
    """
    try:
        data = encoded(text)
    except UnicodeEncodeError as error:
        raise TmuxLifeError(
            f"{_shown(text)} is no text that can be typed: {error}"
        ) from None
    if edited:
        _check_edited(text)
    if modes is None:
        return text
    # For a line editor it is no text but the end of the line; zsh swaps the two.
    ends = {"\n"} if edited else set()
    taken = sorted(modes.taken.intersection(text) - ends)
    if taken:
        names = " and ".join(f"C-{chr(ord(char) ^ 0x40).lower()}" for char in taken)
        raise TmuxLifeError(
            f"the text holds {names}, which the terminal takes for itself or changes "
            "(signals, flow control, line ends) and which cannot be quoted there; "
            "press it with send_key"
        )
    if modes.seven_bit and not data.isascii():
        raise TmuxLifeError(
            "the text holds more than ASCII, and the terminal takes the eighth bit off "
            "(stty istrip)"
        )
    if modes.canonical:
        _check_lengths(data, before)
    return text


def _check_edited(text: str) -> None:
    if "\0" in text:
        raise TmuxLifeError(
            "the text holds a NUL, which a line editor does not take; use "
            "send_key('C-@') for the key"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TmuxLifeError(
            f"{_shown(text)} is no text that a line editor takes: {error}"
        ) from None


def _check_lengths(data: bytes, before: int) -> None:
    for number, line in enumerate(data.split(b"\n"), 1):
        length = len(line) + before
        if length > CANONICAL_LINE_LIMIT:
            typed = f" with the {before} typed before" if before else ""
            raise TmuxLifeError(
                f"line {number} of the text has {length} bytes{typed}; a cooked "
                f"terminal takes {CANONICAL_LINE_LIMIT} and drops the rest"
            )
        before = 0


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")


def check_command(command: str, *, controls: bool = True) -> str:
    """Return *command* if its echo can be recognised.

    Args:
        command: One line or more.
        controls: Control characters are echoed as a terminal does.

    Raises:
        TmuxLifeError: It is no text, or holds a carriage return, a control character
            that is echoed in another way, or what is no character.
    """
    arguments.text("command", command)
    if "\r" in command:
        raise TmuxLifeError(
            f"{command!r} holds a carriage return, which ends the line; end lines "
            "with a line feed alone"
        )
    if not controls and _CONTROL.search(command):
        raise TmuxLifeError(
            f"{command!r} holds a control character, and this program's line editor "
            "does not show it as it was typed; write it as the program's language "
            "does, or use send_line"
        )
    try:
        command.encode()
    except UnicodeEncodeError as error:
        raise TmuxLifeError(
            f"{command!r} is no text that can be typed: {error}"
        ) from None
    return command


def quoted(text: str) -> str:
    """Each control character but the line feed behind a C-v.

    A line editor and a cooked terminal both take what follows C-v as it is.

    Source: termios(3), VLNEXT; readline(3), quoted-insert.
    """
    return _CONTROL.sub(lambda match: "\x16" + match[0], text)


def typing_commands(pane: str, text: str) -> Iterator[list[str]]:
    """Give tmux commands that type *text*, each short enough for one message."""
    for number, part in enumerate(text.split("\0")):
        if number:
            # No argument can hold it.
            yield ["send-keys", "-t", pane, "-H", "0"]
        start = 0
        while start < len(part):
            end = start + _CHUNK
            while len(encoded(part[start:end])) > _CHUNK:
                end -= max(1, (end - start) // 4)
            yield ["send-keys", "-t", pane, "-l", "--", literal(part[start:end])]
            start = end


def pieces(text: str, *, is_edited: bool) -> list[str]:
    """*text* in pieces, each to be typed once what stands before it was read.

    A line editor lets go of the terminal between lines: then the terminal would
    take the C-v before a control character, and cut a long line.
    """
    if not is_edited:
        return [text]
    first, *rest = text.split("\n")
    found = [first]
    for line in rest:
        found[-1] += "\n"
        if _CONTROL.search(line) or len(line) > CANONICAL_LINE_LIMIT // 4:
            found.append(line)
        else:
            found[-1] += line
    return found


def batches(commands: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Commands joined by ``;``, as many to a call as fit into one message."""
    batch: list[str] = []
    for command in commands:
        joined = [*batch, ";", *command] if batch else list(command)
        if batch and len(os.fsencode(" ".join(joined))) > _CALL:
            yield batch
            joined = list(command)
        batch = joined
    if batch:
        yield batch
