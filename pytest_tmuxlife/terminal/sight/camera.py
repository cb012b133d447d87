"""Looks at a pane, each one call to its tmux server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_tmuxlife.errors import PaneDied, TmuxLifeError
from pytest_tmuxlife.terminal.sight.screen import Grid
from pytest_tmuxlife.terminal.tmux.client import Client
from pytest_tmuxlife.terminal.tmux.door import Answer

_FORMAT = (
    "#{history_size} #{cursor_y} #{cursor_x} #{pane_width} #{pane_height} "
    "#{pane_dead} #{?pane_in_mode,#{pane_mode},-} #{history_limit} #{alternate_on}"
)
# The second, when it goes between two commands of one call.
_PANE_GONE = ("can't find", "no current target", "no such pane")


def _parse(output: str) -> Grid:
    """What a look prints: `_FORMAT`, and the rows that it captured."""
    head, _, rest = output.partition("\n")
    *numbers, mode, limit, alternate = head.split()
    history, y, x, columns, height, dead = map(int, numbers)
    lines = rest.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return Grid(
        history,
        y,
        x,
        columns,
        height,
        bool(dead),
        "" if mode == "-" else mode,
        int(limit),
        alternate == "1",
        lines,
    )


def _counted(row: int) -> str:
    """A row counted from the oldest line, as tmux takes it.

    It subtracts the history's size itself, so that nothing can scroll between the
    question for that and the capture.
    """
    return f'"#{{e|-|:{max(0, row)},#{{history_size}}}}"'


def _beginnings(lines: Sequence[str], rows: Sequence[str]) -> Iterator[int]:
    """The row in which each of the joined lines begins."""
    row = 0
    for line in lines:
        yield row
        length = len(rows[row]) if row < len(rows) else 0
        row += 1
        while length < len(line) and row < len(rows):
            length += len(rows[row])
            row += 1


class Camera:
    """Takes looks at one pane.

    Args:
        client: The server's.
        pane: The pane's id, as ``%3``.
        program: Its name, for errors.
    """

    def __init__(self, client: Client, pane: str, program: str) -> None:
        self._client = client
        self._pane = pane
        self._program = program

    @property
    def directory(self) -> str:
        """The server's own, that nobody else can enter."""
        return os.path.dirname(os.path.dirname(self._client.socket_path))

    def screen(self) -> Grid:
        """The visible rows as they are."""
        return self._look(["capture-pane", "-p", "-t", self._pane])

    def joined_screen(self) -> Grid:
        """The visible rows, wrapped lines joined, trailing blanks kept."""
        return self._look(["capture-pane", "-p", "-J", "-t", self._pane])

    def visible(self) -> tuple[Grid, list[int]]:
        """The visible rows, wrapped lines joined, and in which row each begins."""
        rows = ["capture-pane", "-p", "-N", "-t", self._pane]
        joined = ["capture-pane", "-p", "-J", "-t", self._pane]
        grid = self._look([*rows, ";", *joined])
        rows, lines = grid.lines[: grid.rows], grid.lines[grid.rows :]
        return replace(grid, lines=lines), list(_beginnings(lines, rows))

    def everything(self) -> Grid:
        """The history and the visible rows, wrapped lines joined."""
        return self._look(["capture-pane", "-p", "-J", "-t", self._pane, "-S", "-"])

    def rows(self) -> Grid:
        """The history and the visible rows as they are."""
        return self._look(["capture-pane", "-p", "-t", self._pane, "-S", "-"])

    def last(self, rows: int) -> Grid:
        """The visible rows and so many above, wrapped lines joined."""
        capture = ["capture-pane", "-p", "-J", "-t", self._pane]
        return self._look([*capture, "-S", str(-rows)])

    def since(self, row: int) -> Grid:
        """From row *row*, counted from the oldest line, wrapped lines joined.

        If the screen was cleared above that row, all that is visible.
        """
        grid = self._look_by_commands(f"capture-pane -p -J -S {_counted(row)}")
        return self.joined_screen() if row > grid.cursor_row else grid

    def below(self, row: int, distance: int) -> tuple[str, Grid]:
        """One row, and all rows from so many below it on.

        Args:
            row: Counted from the oldest line.
            distance: How far below it the others begin.

        Returns:
            The row; and the look at the others, wrapped lines joined.
        """
        capture = f"capture-pane -p -J -S {_counted(row + distance)}"
        if not distance:
            grid = self._look_by_commands(capture)
            return "".join(grid.lines[:1]), grid
        first = _counted(row)
        one = f"capture-pane -p -S {first} -E {first}"
        grid = self._look_by_commands(one, capture)
        return "".join(grid.lines[:1]), replace(grid, lines=grid.lines[1:])

    def ask(self, *arguments: str, stdin: bytes = b"") -> str:
        """What tmux prints for a command that concerns this pane.

        Raises:
            PaneDied: The pane is gone.
            TmuxLifeError: tmux refused.
        """
        answer = self._client.call(arguments, stdin=stdin)
        self.check(answer)
        return answer.stdout.decode("utf-8", "backslashreplace")

    def _look_by_commands(self, *captures: str) -> Grid:
        commands = " ; ".join(f"{capture} -t {self._pane}" for capture in captures)
        return self._look(["run-shell", "-C", "-t", self._pane, commands])

    def _look(self, capture: Sequence[str]) -> Grid:
        answer = self._client.call(
            ["display-message", "-p", "-t", self._pane, _FORMAT, ";", *capture]
        )
        self.check(answer)
        if not answer.stdout:
            # A server that ends meanwhile lets its client go with status 0.
            raise PaneDied(
                f"pane {self._pane} ({self._program}) is gone: its tmux server has "
                "ended",
                pane=self._pane,
                program=self._program,
                screen="",
            )
        return _parse(answer.stdout.decode("utf-8", "backslashreplace"))

    def check(self, answer: Answer) -> None:
        """Raise if tmux has refused.

        Raises:
            PaneDied: It knows no such pane.
            TmuxLifeError: Any other reason.
        """
        if answer.status != 0:
            reason = answer.stderr.decode("utf-8", "backslashreplace").strip()
            if not reason.startswith(_PANE_GONE):
                raise TmuxLifeError(
                    f"tmux refused a command for pane {self._pane} "
                    f"({self._program}): {reason}",
                    pane=self._pane,
                    stderr=reason,
                )
            raise PaneDied(
                f"pane {self._pane} ({self._program}) is gone: {reason}",
                pane=self._pane,
                program=self._program,
                screen="",
            )
