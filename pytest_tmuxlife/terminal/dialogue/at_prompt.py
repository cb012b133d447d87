"""Whether a pane's program is at its prompt, with nothing typed there."""

from __future__ import annotations

from pytest_tmuxlife.clock import holds_within
from pytest_tmuxlife.terminal.dialogue.handle import PaneHandle
from pytest_tmuxlife.terminal.programs.prompts import HousePrompt
from pytest_tmuxlife.terminal.sight.command import behind_prompt
from pytest_tmuxlife.terminal.sight.screen import Grid
from pytest_tmuxlife.terminal.typing import tty
from pytest_tmuxlife.terminal.typing.tty import TerminalModes

# What a program needs from its prompt to a sleep in read(2), and more.
_AWAKE = 0.02


def note_prompt_owed(pane: PaneHandle, *, typed: bool = True) -> bool:
    """A line is about to end; True if the screen before is to be noted.

    Args:
        pane: Where.
        typed: By a text or Enter, not by a signal such as that of C-c.
    """
    typist = pane.typist
    if pane.channel is None:
        if typed and pane.launch.prompt is not None:
            typist.has_typed_ahead = not is_at_prompt(pane)
        return pane.launch.prompt is not None
    number = pane.channel.drain().number
    if number > typist.owed_after:
        typist.due = number + 1
    elif typed:
        typist.has_typed_ahead = True
        typist.due += 1
    typist.owed_after = number
    pane.channel.forget_answers()
    # Until something shows, a continuation prompt is the one before C-c.
    return not typed


def is_at_prompt(pane: PaneHandle) -> bool:
    """See `Pane.is_at_prompt`."""
    if pane.channel is not None:
        record = pane.channel.drain()
        if record.number <= pane.typist.owed_after:
            return False
    if not pane.shell_is_in_foreground:
        return False
    if pane.typist.has_typed_ahead and not _sleeps(pane):
        return False
    modes = tty.modes(pane.terminal)
    if modes is None or modes.unread:
        return False
    if not _may_hold_text(pane):
        return _shows_prompt(pane, modes)
    if not _has_arrived(pane, modes):
        return False
    # tmux can have read something else: between two calls it reads all terminals.
    return shows_empty_line(pane) and shows_empty_line(pane)


def _sleeps(pane: PaneHandle) -> bool:
    """The program is not about to show a line that it has just read."""
    return holds_within(_AWAKE, lambda: pane.is_asleep)


def _shows_prompt(pane: PaneHandle, modes: TerminalModes) -> bool:
    """Nothing was typed at the prompt: what stands behind it is a job's output."""
    channel, prompt = pane.channel, pane.launch.house_prompt
    if channel is None or prompt is None:
        grid = pane.camera.screen()
        return not grid.mode and _is_behind_prompt(pane, grid)
    # Behind output without a final newline the prompt may take two rows.
    grid = pane.camera.joined_screen()
    if grid.mode:
        return False
    behind = behind_prompt(grid.lines, prompt, channel.last.number)
    if behind and pane.typist.has_typed_ahead:
        # A line that was typed ahead, or what it prints; unless the shell's
        # editor waits for more: its drawing can leave something there.
        reads = pane.launch.has_status and not modes.canonical
        return reads or channel.last.number >= pane.typist.due
    return behind is not None


# -- a line in which something was typed -------------------------------------------


def _may_hold_text(pane: PaneHandle) -> bool:
    """Something was typed and not ended, or keys were pressed at this very prompt."""
    if pane.typist.is_line_open:
        return True
    channel = pane.channel
    if channel is None or not pane.typist.has_pressed:
        return False
    return channel.last.number == pane.arrival.prompt


def _has_arrived(pane: PaneHandle, modes: TerminalModes) -> bool:
    """What was typed is drawn: if it does not stand there, it is gone."""
    channel, arrival = pane.channel, pane.arrival
    if not modes.canonical and not pane.is_asleep:
        return False
    if channel is not None and channel.last.number > arrival.prompt:
        # What the kernel holds back for the next line was drawn above the prompt.
        return not (modes.canonical and pane.typist.open_bytes)
    if channel is None and pane.typist.sent is not None:
        grid = pane.camera.screen()
        if grid.cursor_row > pane.typist.sent.row:
            return True
    return arrival.is_seen(canonical=modes.canonical)


def shows_empty_line(pane: PaneHandle) -> bool:
    """The cursor is right behind the last prompt."""
    grid = pane.camera.screen()
    if grid.mode:
        return False
    channel, prompt = pane.channel, pane.launch.house_prompt
    if channel is None or prompt is None:
        return _is_behind_prompt(pane, grid)
    return _is_right_behind(grid, prompt, channel.last.number)


def _is_right_behind(grid: Grid, prompt: HousePrompt, number: int) -> bool:
    """The cursor is there, and nothing behind it: blanks are text too."""
    row = grid.cursor_y
    if grid.cursor_line[grid.cursor_x :].strip():
        return False
    above = grid.lines[row - 1].ljust(grid.columns) if row else ""
    return (above + grid.until_cursor).endswith(prompt.token(number))


def _is_behind_prompt(pane: PaneHandle, grid: Grid) -> bool:
    prompt = pane.launch.prompt
    if prompt is None or pane.typist.is_unanswered(grid):
        return False
    return prompt.search(grid.until_cursor) is not None
