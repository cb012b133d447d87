"""Typing into a pane, and remembering what was typed where."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from pytest_tmuxlife.errors import PaneDied, PaneNotReady
from pytest_tmuxlife.terminal.sight.anchor import Anchor, Anchors
from pytest_tmuxlife.terminal.sight.camera import Camera
from pytest_tmuxlife.terminal.sight.echo import EchoFilter, Sent, squash
from pytest_tmuxlife.terminal.sight.screen import Grid
from pytest_tmuxlife.terminal.sight.since import is_cut, row_on_screen, rows_since
from pytest_tmuxlife.terminal.tmux.client import Client, literal
from pytest_tmuxlife.terminal.tmux.differences import paste_flags
from pytest_tmuxlife.terminal.typing import keys
from pytest_tmuxlife.terminal.typing.tty import TerminalModes

_PLACE = (
    "#{?pane_in_mode,#{pane_mode},-} "
    "#{history_size} #{cursor_y} #{cursor_x} #{alternate_on} #{pane_dead}"
)
_SHOWN = 3
_REMEMBERED = 1000


def _anchored(
    anchors: Sequence[Anchor], rows: Sequence[int], row: int
) -> Anchor | None:
    """The first of *anchors* that is not below *row*; *rows* from 1, 0 for none."""
    for anchor, found in zip(anchors, rows, strict=True):
        if 0 < found <= row + 1:
            return replace(anchor, above=row + 1 - found)
    return None


class Typist:
    """Sends to one pane; every send notes where the cursor stood before it.

    Attributes:
        sent: The last send, None before the first.
        recent: The last few texts and keys, to show in a time-out.
        owed_after: Number of the last prompt before a line was ended; a
            higher one is owed.
        ends_line: The last send ended a line.
        is_line_open: Something is typed and not ended yet.
        has_pressed: Keys were pressed since the program was seen at an empty prompt.
        open_bytes: Of that, so many stand in a cooked terminal, as far as is known.
        has_typed_ahead: A line was ended before the prompt for it had come, and no
            prompt was waited for since.
        due: Number of the prompt that comes once all lines are carried out, if
            the program itself gets them.
    """

    def __init__(
        self, client: Client, pane: str, camera: Camera, anchors: Anchors
    ) -> None:
        self._client = client
        self._pane = pane
        self._camera = camera
        self._anchors = anchors
        self.sent: Sent | None = None
        self.recent: deque[str] = deque(maxlen=_SHOWN)
        self.owed_after = 0
        self.ends_line = False
        self._shown_before: Grid | None = None
        self.has_typed_ahead = False
        self.due = 0
        self._ever_sent: dict[str, None] = {}
        # Lines whose echo nobody has seen yet, the last one perhaps unended.
        self._unsettled: list[str] = []
        self.is_line_open = False
        self.open_bytes = 0
        self.has_pressed = False
        self._line_start: tuple[int, int] | None = None

    @property
    def is_pending(self) -> bool:
        """Something was sent since `settle`, or a line is not ended yet."""
        return bool(self._unsettled) or self.is_line_open or self.has_pressed

    def settle(self, *, at_prompt: bool) -> None:
        """What was sent has been drawn: its echo need not be awaited again.

        Args:
            at_prompt: The program was seen at an empty prompt, so nothing is
                typed and not ended either.
        """
        if at_prompt:
            self.is_line_open = self.has_pressed = self.has_typed_ahead = False
            self.open_bytes = 0
            self._line_start = None
        if not self.is_line_open:
            self._unsettled.clear()

    def type(
        self,
        text: str,
        modes: TerminalModes | None,
        *,
        quote: bool,
        enter: bool,
        noting: bool = False,
    ) -> Sent:
        """Type *text*, and Enter behind it if asked; return where that began.

        Args:
            text: As it is.
            modes: Of the terminal; None if it is gone.
            quote: Control characters get a C-v before them.
            enter: End the line.
            noting: Note the screen before, for `is_unanswered`.
        """
        typed = keys.quoted(text) if quote else text
        commands = list(keys.typing_commands(self._pane, typed))
        if enter:
            commands.append(["send-keys", "-t", self._pane, "Enter"])
        self._shown_before = self._camera.screen() if noting else None
        self._note_text(text, modes, enter=enter)
        is_echoed = modes is None or modes.will_echo
        self.ends_line = enter or "\n" in text
        return self._send(commands, is_echoed)

    def press(
        self, names: Sequence[str], *, ends_line: bool, noting: bool = False
    ) -> Sent:
        """Press keys; return where the cursor stood. *noting* as for `type`."""
        self._shown_before = self._camera.screen() if noting else None
        self.recent.append(" ".join(names))
        self.ends_line = ends_line
        if self.ends_line:
            self.is_line_open = False
        if keys.EMPTYING_KEYS.intersection(names):
            self.open_bytes = 0
        self.has_pressed = True
        words = [literal(name) for name in names]
        return self._send([["send-keys", "-t", self._pane, "--", *words]], True)

    def paste(
        self,
        text: str,
        modes: TerminalModes | None,
        *,
        quote: bool,
        brackets: bool,
        noting: bool = False,
    ) -> Sent:
        """Paste *text* as one piece; return where that began.

        Args as for `type`, and *brackets*: around it, if the program asks for them.
        """
        name = f"tmuxlife-{self._pane[1:]}"
        data = keys.encoded(keys.quoted(text) if quote else text)
        self._camera.ask("load-buffer", "-b", name, "-", stdin=data)
        delete = f"delete-buffer -b {name}"
        flags = self._paste_flags if brackets else self._paste_flags.replace("p", "")
        paste = f"paste-buffer {flags} -b {name} -t {self._pane}"
        self._shown_before = self._camera.screen() if noting else None
        self._note_text(text, modes, enter=False)
        self.ends_line = "\n" in text
        is_echoed = modes is None or modes.will_echo
        # Keys that copy mode takes for itself are refused; a paste is not.
        choice = ["if-shell", "-F", "-t", self._pane, "#{pane_in_mode}", delete, paste]
        return self._send([choice], is_echoed)

    @cached_property
    def _paste_flags(self) -> str:
        return paste_flags(self._camera.ask("list-commands", "paste-buffer"))

    def resized(self) -> None:
        """The rows have moved: all that the screen shows counts as new."""
        if self.sent is not None:
            self.sent = replace(self.sent, row=sys.maxsize, anchor=None)
        self.ends_line = False

    def began(self, first: Sent) -> None:
        """The last send was the rest of one that began with *first*."""
        if self.sent is not None:
            self.sent = replace(first, lines=self.sent.lines)

    def _note_text(
        self, text: str, modes: TerminalModes | None, *, enter: bool
    ) -> None:
        last = text.rpartition("\n")[2]
        before = 0 if "\n" in text else self.open_bytes
        is_counted = not enter and modes is not None and modes.canonical
        length = len(keys.encoded(last))
        self.open_bytes = before + length if is_counted else 0
        self.recent.append(text if len(text) <= 200 else text[:200] + "...")
        first, *rest = text.split("\n")
        unsettled = [*self._unsettled]
        if self.is_line_open and unsettled:
            first = unsettled.pop() + first
        new = len(unsettled)
        unsettled += [first, *rest]
        self.is_line_open = not enter and bool(unsettled[-1])
        if not unsettled[-1]:
            unsettled.pop()
        for line in unsettled[new:][-_REMEMBERED:]:
            self._ever_sent[squash(line)] = None
        # A new one: what was noted before can be gone back to.
        self._unsettled = unsettled
        while len(self._ever_sent) > _REMEMBERED:
            del self._ever_sent[next(iter(self._ever_sent))]

    def _send(self, commands: Sequence[Sequence[str]], is_echoed: bool) -> Sent:
        anchors = self._anchors.newest()
        questions = [_PLACE, *(anchor.question for anchor in anchors)]
        look = ["display-message", "-p", "-t", self._pane, " ".join(questions)]
        # With a second line tmux hands out the first without being asked for it.
        batches = list(keys.batches([look, ["display-message", "-p", ""], *commands]))
        answer = self._client.call(batches[0])
        mode, *words = answer.stdout.decode().split() or [""]
        place = [int(word) for word in words]
        if place:
            # First of all: in copy mode tmux refuses keys for a reason of its own.
            self._check_place(dead=bool(place[4]), mode="" if mode == "-" else mode)
        self._camera.check(answer)
        for batch in batches[1:]:
            self._camera.check(self._client.call(batch))
        history, y, x = place[:3]
        # A line typed in pieces begins where its first piece did: the cursor
        # may have gone on by any part of them.
        row, column = self._line_start or (history + y, x)
        self._line_start = (row, column) if self.is_line_open else None
        self.sent = Sent(
            tuple(self._unsettled),
            row,
            column,
            history,
            is_echoed,
            bool(place[3]),
            _anchored(anchors, place[5:], row - history),
        )
        return self.sent

    def is_unanswered(self, grid: Grid) -> bool:
        """A line was ended, and the pane shows nothing of that yet.

        Where a pane keeps no further lines its rows do not count up, after a
        clear they begin anew: then it is what they show that has changed.
        """
        before, sent = self._shown_before, self.sent
        if not self.ends_line or before is None or sent is None:
            return False
        if grid.cursor_row > sent.row:
            return False
        return grid.cursor_x > sent.column or grid.lines == before.lines

    def _check_place(self, *, dead: bool, mode: str) -> None:
        if dead:
            raise PaneDied(
                f"the program of pane {self._pane} has ended; the text went nowhere",
                pane=self._pane,
                program="",
                screen="",
            )
        if mode:
            raise PaneNotReady(
                f"pane {self._pane} is in {mode}, which takes keys for itself; "
                "leave it first: cmd('send-keys', '-t', pane.id, '-X', 'cancel')",
                pane=self._pane,
                state=mode,
            )

    def fresh_lines(self, prompt: re.Pattern[str] | None) -> list[str]:
        """What the pane shows since the last send, without the echo of it."""
        return self.fresh(prompt)[0]

    def fresh(self, prompt: re.Pattern[str] | None) -> tuple[list[str], bool]:
        """The same, and whether no more of the echo is to come."""
        sent = self.sent
        if sent is None:
            return self._camera.since(0).lines, True
        sent, grid = rows_since(self._camera, sent)
        self._count_anew(sent)
        lines = grid.lines
        # A full-screen program draws anywhere, and has no history.
        if grid.is_alternate or is_cut(sent, grid):
            sent = Sent(sent.lines, 0, 0, grid.history, sent.is_echoed)
            lines = self._camera.joined_screen().lines
        echo = self._echo(sent, prompt, grid)
        return echo.output(lines), echo.is_complete

    def _count_anew(self, sent: Sent) -> None:
        """The rows of the last send are counted as *sent* says from now on."""
        self.sent = sent
        if self._line_start is not None:
            self._line_start = (sent.row, sent.column)

    def last_lines(
        self, prompt: re.Pattern[str] | None, rows: int
    ) -> tuple[list[str], Grid]:
        """Like `fresh_lines`, of a pane that has long drawn the echo; and the look.

        Args:
            prompt: Any of the program's prompts.
            rows: So many above the visible ones are looked at.
        """
        grid = self._camera.last(rows)
        # The first may be the end of a wrapped line, unless it is the oldest.
        lines = grid.lines[grid.history > rows :]
        sent = Sent((), 0, 0, grid.history, is_echoed=False)
        return self._echo(sent, prompt, grid).output(lines), grid

    def visible_lines(self, prompt: re.Pattern[str] | None) -> list[str]:
        """What the screen shows, without the echo of the last send."""
        grid, begins = self._camera.visible()
        sent = self.sent
        if sent is None:
            return grid.lines
        row = row_on_screen(sent, grid, begins)
        if row is None:
            # Only what stands behind a prompt is known.
            is_echoed = sent.row >= grid.history
            sent = Sent(sent.lines, 0, 0, grid.history, is_echoed)
            return self._echo(sent, prompt, grid).output(grid.lines)
        above = sum(begin < row for begin in begins)
        fresh = self._echo(sent, prompt, grid).output(grid.lines[above:])
        return [*grid.lines[:above], *fresh]

    def _echo(
        self, sent: Sent, prompt: re.Pattern[str] | None, grid: Grid
    ) -> EchoFilter:
        """What takes the echo of *sent* out of rows of that look."""
        return EchoFilter(sent, self._ever_sent.keys(), prompt, grid.columns)
