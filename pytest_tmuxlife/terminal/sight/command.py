"""What one command printed, cut out of the pane between two prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_tmuxlife.terminal.programs.prompts import HousePrompt
from pytest_tmuxlife.terminal.sight.echo import rows_of, squash
from pytest_tmuxlife.terminal.sight.width import fills_row, split_at, split_glued, width


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended, and what the terminal shows of its output.

    Attributes:
        command: As it was typed.
        exit_code: As the shell itself reports it; None of a program that has none.
        output: Wrapped lines joined, without prompt and echo; blank lines,
            trailing blanks and a missing final newline are kept. What the
            terminal does not keep is lost: colours, text that was written
            over, and on tmux before 3.7 tabs; the reference has the whole list.
            With ``exact=True`` nothing is: bytes that are no UTF-8 are there as
            surrogates, see `raw`.
        duration: Seconds from the send to the next prompt.
        cut: Empty; else why the beginning of the output is missing.
    """

    command: str
    exit_code: int | None
    output: str
    duration: float
    cut: str = ""

    @property
    def raw(self) -> bytes:
        """The output as bytes; with ``exact=True`` those of the program."""
        return self.output.encode("utf-8", "surrogateescape")


def behind_prompt(
    lines: Sequence[str], prompt: HousePrompt, number: int, *, first: bool = False
) -> str | None:
    """What stands behind the last prompt *number*; None if that is not drawn.

    At a prompt that nobody has typed at, it is what a job in the background
    has printed since.

    Args:
        lines: Rows of text.
        prompt: The program's.
        number: Of the prompt that is meant.
        first: Behind the first one: node draws it again below such output.
    """
    token = prompt.token(number).rstrip()
    rows = range(len(lines))
    for index in rows if first else reversed(rows):
        place = lines[index].rfind(token)
        if place >= 0:
            rest = [lines[index][place + len(token) :], *lines[index + 1 :]]
            return "\n".join(row.rstrip() for row in rest).strip()
    return None


def cut_output(
    lines: Sequence[str],
    prompt: HousePrompt,
    first: int,
    last: int,
    command: str,
    columns: int,
    column: int = 0,
) -> tuple[str, bool, bool]:
    """The output between prompts *first* and *last*.

    Args:
        lines: Rows of text, prompt *last* among them.
        prompt: The shell's.
        first: Number of the prompt at which the command was typed.
        last: Number of the prompt that followed.
        command: What was typed.
        columns: Of the pane.
        column: Where the cursor stood in the first row before it was typed.

    Returns:
        The output; whether prompt *first* is still there; and whether the
        command is what was typed at it.
    """
    rows = list(lines)
    end = prompt.token(last).rstrip()
    while rows and end not in rows[-1]:
        # Blank, or of a job in the background.
        rows.pop()
    if rows:
        rows[-1] = rows[-1][: rows[-1].rfind(end)]
    _take_mark_off(rows, prompt.no_newline, columns)
    typed = command.split("\n")
    at_prompts = list(_places_of_prompt(rows, prompt, first))
    # Where the cursor stood is another place to look: a job may have printed
    # behind the prompt just before.
    for index, lead in (*at_prompts, (0, column)):
        taken = take_echo(rows, index, lead, typed[0], columns, prompt)
        if taken:
            below = rows[index + taken :]
            body = _without_continuations(below, prompt, typed[1:], columns)
            return "\n".join(body), True, True
    index = at_prompts[0][0] if at_prompts else -1
    return "\n".join(rows[index + 1 :]), index >= 0, index < 0


def is_kept(
    lines: Sequence[str], prompt: HousePrompt, first: int, typed: str, columns: int
) -> bool:
    """Rows from before the command are still there, or its own, shown otherwise.

    So prompt *first* has not gone with a clear, or beyond the history limit.

    Args:
        lines: All rows that the pane keeps.
        prompt: The program's.
        first: Number of the prompt at which the command was typed.
        typed: Its first line.
        columns: Of the pane.
    """
    for row in lines:
        if any(number < first for number in prompt.numbers_in(row)):
            return True
    return is_scrolled(lines, len(prompt.token(first)), typed, columns)


def is_scrolled(lines: Sequence[str], lead: int, typed: str, columns: int) -> bool:
    """A row shows the end of the line only, behind a `<`.

    So does readline if it scrolls a long line sideways: on a terminal that cannot
    move the cursor up (TERM=dumb), or if it is told to.
    """
    if lead + width(typed) < columns - 1:
        return False
    end = squash(typed)
    return any(
        row.startswith("<")
        and width(row.rstrip()) >= columns // 3
        and end.endswith(squash(row[1:]))
        for row in lines
    )


def _take_mark_off(rows: list[str], mark: str, columns: int) -> None:
    """Where the program has marked that the last row has no newline, it is the last."""
    if not mark or len(rows) < 2 or rows[-1] or width(rows[-2]) < columns:
        return
    row = rows[-2].rstrip()
    if row.endswith(mark):
        rows[-2:] = [row.removesuffix(mark)]


def _places_of_prompt(
    rows: Sequence[str], prompt: HousePrompt, number: int
) -> Iterator[tuple[int, int]]:
    """Row and column behind prompt *number*.

    It is there several times where an editor draws a line anew that has reached
    the edge: what it clears at the top of the screen goes into the history.
    """
    token = prompt.token(number)
    for index, row in enumerate(rows):
        place = row.find(token.rstrip())
        if place >= 0:
            yield index, width(row[:place]) + len(token)


def take_echo(
    rows: list[str],
    index: int,
    lead: int,
    typed: str,
    columns: int,
    prompt: HousePrompt | None = None,
) -> int:
    """How many rows the echo of *typed* takes; 0 if it is not there.

    Output that is glued to the echo gets a row of its own.

    Args:
        rows: Rows of text, the last one cut where the next prompt begins.
        index: Which of them the echo begins in.
        lead: The column that it begins at.
        typed: A line.
        columns: Of the pane.
        prompt: The program's, if that is one of ours.
    """
    if not 0 <= index < len(rows):
        return 0
    is_cut = index == len(rows) - 1
    row, glued = split_glued(rows[index], lead, typed, columns, is_cut=is_cut)
    rest = split_at(row, lead)[1]
    expected = squash(typed)
    taken = rows_of(expected, rest, rows, index) if expected else int(not rest.strip())
    if squash(rest + "".join(rows[index + 1 : index + taken])) != expected:
        # A beginning of it, which somebody else has typed, or the program printed.
        return 0
    match = prompt.pattern.search(rows[index]) if prompt is not None else None
    before = width(rows[index][: match.start()]) if match else 0
    if taken and glued is not None:
        rows[index : index + 1] = [row, glued]
    elif taken and prompt is not None and fills_row(lead - before, typed, columns):
        # A line editor takes its prompt for the row's beginning.
        below = index + taken
        end = lead + width(typed)
        if prompt.blank_at_edge:
            taken += below < len(rows) - 1 and not rows[below].strip()
        elif before and (is_cut or width(rows[index]) > end):
            # It went up to wrap: what is printed begins over the end of the echo.
            rest = split_at(row, end - before)[1]
            rows[index : index + 1] = [row, rest if is_cut else ""]
    return taken


def _without_continuations(
    rows: Sequence[str], prompt: HousePrompt, typed: Sequence[str], columns: int
) -> list[str]:
    """The rows without the echo of the further lines, each behind a prompt."""
    rows = list(rows)
    if not typed:
        # A row that looks like a prompt is output then.
        return rows
    pattern = prompt.pattern
    kept: list[str] = []
    before = ""
    pending = list(typed)
    mark = prompt.continuation if prompt.shows_rest else ""
    position = 0
    while pending and position < len(rows):
        row = rows[position]
        match = pattern.search(row)
        lead = 0
        if mark and row.startswith(mark.rstrip()):
            lead = len(mark)
        elif match:
            lead = width(row[: match.end()])
            # Output without a final newline stands before the prompt.
            before += row[: match.start()]
        elif mark or not _goes_on(row, pending[0]):
            below = "".join(rows[position + 1 : position + 2])
            # At the edge they leave a row blank first.
            if mark or row.strip() or not below or not _goes_on(below, pending[0]):
                kept.append(before + row)
                before = ""
            position += 1
            continue
        line = pending.pop(0)
        position += max(1, take_echo(rows, position, lead, line, columns, prompt))
    for row in rows[position:]:
        kept.append(before + row)
        before = ""
    return [*kept, before] if before else kept


def _goes_on(row: str, line: str) -> bool:
    """The row begins the echo of that line, as of editors without a prompt for it."""
    text = squash(row)
    return squash(line).startswith(text) if text else not line.strip()
