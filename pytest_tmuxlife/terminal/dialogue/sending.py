"""Sending text and keys to a pane, each when what reads there can take it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from pytest_tmuxlife.clock import holds_within
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.errors import PaneDied, PaneNotReady
from pytest_tmuxlife.terminal.dialogue.at_prompt import (
    is_at_prompt,
    note_prompt_owed,
    shows_empty_line,
)
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.sight.echo import Sent
from pytest_tmuxlife.terminal.typing import keys, tty
from pytest_tmuxlife.terminal.typing.keys import encoded
from pytest_tmuxlife.terminal.typing.tty import TerminalModes

# From the end of a line until the program reads the next one: a millisecond,
# unless the machine is busy. One that carries the line out for longer than that
# gets the rest as typed ahead.
_NEXT_LINE = 1.0
# tmux writes a key to the terminal, and the kernel echoes it, after tmux has answered.
_PASSED_ON = 0.5
# A line editor that has shown its prompt is about to read.
_EDITOR_READS = 1.0


@contextmanager
def noted_if_sent(pane: PaneHandle) -> Iterator[None]:
    """What is noted of a send is forgotten if it is refused before any of it is sent.

    Else the prompt would be owed for a line that nobody has typed.
    """
    notes = pane.typist, pane.arrival
    before = [dict(vars(one)) for one in notes]
    sent = pane.typist.sent
    try:
        yield
    except (PaneDied, PaneNotReady):
        if pane.typist.sent is sent:
            for one, attributes in zip(notes, before, strict=True):
                vars(one).update(attributes)
        raise


def send(pane: PaneHandle, text: str, *, enter: bool) -> None:
    """See `Pane.send_text` and `Pane.send_line`."""

    def put(piece: str, modes: TerminalModes | None, noting: bool, last: bool) -> Sent:
        quote = _quotes(pane, modes)
        ends = enter and last
        return pane.typist.type(piece, modes, quote=quote, enter=ends, noting=noting)

    with noted_if_sent(pane):
        _send_in_pieces(pane, text, text.count("\n") + enter, put)


def paste(pane: PaneHandle, text: str) -> None:
    """See `Pane.paste`."""

    def put(piece: str, modes: TerminalModes | None, noting: bool, last: bool) -> Sent:
        # In brackets C-v would be text.
        brackets = not _is_edited(pane, modes)
        quote = _quotes(pane, modes)
        return pane.typist.paste(
            piece, modes, quote=quote, brackets=brackets, noting=noting
        )

    if text:
        with noted_if_sent(pane):
            _send_in_pieces(pane, text, text.count("\n"), put)


def _send_in_pieces(
    pane: PaneHandle,
    text: str,
    ends: int,
    put: Callable[[str, TerminalModes | None, bool, bool], Sent],
) -> None:
    """Send *text*, which ends so many lines, by *put*: what was read before what not.

    A later piece that cannot arrive, for another program has the terminal by then,
    is refused too.
    """
    modes = _checked(pane, text)
    noting = bool(ends) and _note_ends(pane, ends)
    *before, piece = keys.pieces(text, is_edited=_is_edited(pane, modes))
    start: Sent | None = None
    while before:
        count = procfs.bytes_read(pane.pid) + len(encoded(keys.quoted(before[0])))
        sent = put(before.pop(0), modes, noting, False)
        start, noting = start or sent, False
        _wait_until_read(pane, count)
        modes = _checked(pane, before[0] if before else piece)
    is_ended = ends > text.count("\n") or text.endswith("\n")
    if piece and not is_ended:
        _expect(pane, piece, modes)
    put(piece, modes, noting, True)
    if start is not None:
        pane.typist.began(start)


def type_command(pane: PaneHandle, line: str, *, noting: bool) -> Sent:
    """Type one line of a command at the prompt for it, and Enter."""
    modes = _checked(pane, line)
    return pane.typist.type(
        line, modes, quote=_quotes(pane, modes), enter=True, noting=noting
    )


def press(pane: PaneHandle, names: Sequence[str]) -> None:
    """See `Pane.send_key`."""
    has_signal = not keys.SIGNAL_KEYS.isdisjoint(names)
    with noted_if_sent(pane):
        ends_line = _ends_line(pane, names)
        typed = not keys.ENTER_KEYS.isdisjoint(names)
        if has_signal:
            _wait_for_editor(pane)
        noting = ends_line and note_prompt_owed(pane, typed=typed)
        if not keys.SIGNAL_KEYS.issuperset(names):
            typed_text = "".join(name for name in names if len(name) == 1)
            _expect(pane, typed_text, tty.modes(pane.terminal))
        with _passed_on(pane) if has_signal else nullcontext():
            pane.typist.press(names, ends_line=ends_line, noting=noting)


@contextmanager
def _passed_on(pane: PaneHandle) -> Iterator[None]:
    """On return tmux has written a key, and read what the kernel echoes of it.

    A prompt that shows before that is not the one behind the key; and one behind
    which nothing stands yet is not an empty one.
    """
    modes = tty.modes(pane.terminal)
    counters = [procfs.bytes_written]
    if modes is not None and modes.canonical and modes.echo:
        counters.append(procfs.bytes_read)
    before = [count(pane.server_pid) for count in counters]
    yield

    def is_over() -> bool:
        now = [count(pane.server_pid) for count in counters]
        # 0 is one that is not ours to see.
        return all(new != old or not old for new, old in zip(now, before, strict=True))

    holds_within(_PASSED_ON, is_over)


def _ends_line(pane: PaneHandle, names: Sequence[str]) -> bool:
    """A new prompt comes for one of them; for C-z only where it stops a job."""
    ends = keys.LINE_ENDING_KEYS.intersection(names)
    return bool(ends) and not (ends == {"C-z"} and is_at_prompt(pane))


def _expect(pane: PaneHandle, typed: str, modes: TerminalModes | None) -> None:
    """Note by what it shows, later, that *typed* has arrived in an open line."""
    # In a cooked terminal the kernel itself can take it out again.
    is_cooked = modes is None or modes.canonical
    pane.arrival.expect(
        0 if is_cooked else len(encoded(typed)),
        pane.channel.drain().number if pane.channel is not None else 0,
        is_first=not pane.typist.is_line_open,
        shows=bool(typed),
    )


def _checked(pane: PaneHandle, text: str) -> TerminalModes | None:
    """The terminal's modes, in which *text* can arrive."""
    modes = tty.modes(pane.terminal)
    edited = _is_edited(pane, modes)
    keys.check_text(text, modes, edited=edited, before=pane.typist.open_bytes)
    return modes


def _is_edited(pane: PaneHandle, modes: TerminalModes | None) -> bool:
    """A line editor that we know has the terminal, which is not cooked then."""
    return (modes is None or not modes.canonical) and pane.editor_has_terminal


def _quotes(pane: PaneHandle, modes: TerminalModes | None) -> bool:
    """A C-v has the character behind it taken as it is."""
    if modes is not None and modes.canonical:
        return modes.quotes
    return _is_edited(pane, modes)


def _note_ends(pane: PaneHandle, ends: int) -> bool:
    noting = note_prompt_owed(pane)
    if ends > 1:
        # Each may have a prompt of its own.
        pane.typist.has_typed_ahead = True
        pane.typist.due += ends - 1
    return noting


def _wait_until_read(pane: PaneHandle, count: int) -> None:
    """Until the line editor has read *count* bytes and waits for more.

    Or what it has read keeps it busy: then the rest is typed ahead.
    """

    def is_over() -> bool:
        modes = tty.modes(pane.terminal)
        if modes is None or not pane.shell_is_in_foreground:
            return True
        has_read = procfs.bytes_read(pane.pid) >= count and not modes.unread
        return has_read and pane.is_asleep

    holds_within(_NEXT_LINE * pane.timeout_scale, is_over)


def _wait_for_editor(pane: PaneHandle) -> None:
    """A line editor about to read does so: before that it misses a signal.

    bash, zsh and fish note the signal, and look at the note after the next key; and
    so do others, if what was typed before has just come.
    """
    is_open = pane.typist.is_line_open
    if not (pane.launch.has_status or (is_open and pane.launch.edits_lines)):
        return

    def reads() -> bool:
        modes = tty.modes(pane.terminal)
        if modes is None or not pane.shell_is_in_foreground:
            return True
        if modes.canonical:
            # Between its prompt's report and its editor's start the shell has it.
            return pane.launch.exact != "marks" or not _has_reported(pane)
        if is_open and (modes.unread or not pane.arrival.is_read):
            return False
        # What it reads else, as fish does files, counts there too.
        is_drawn = not is_open or pane.typist.has_pressed or not shows_empty_line(pane)
        return is_drawn and pane.is_asleep

    holds_within(_EDITOR_READS, reads)


def _has_reported(pane: PaneHandle) -> bool:
    """The prompt that was owed has come, though it may not be drawn yet."""
    channel = pane.channel
    return channel is not None and channel.drain().number > pane.typist.owed_after
