"""Stored screens, one text file each, and what differs from them.

Knows texts only, neither panes nor pytest.
"""

from __future__ import annotations

# Imported at each start of pytest, so it imports little.
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pytest_tmuxlife.containment.files import write_whole
from pytest_tmuxlife.errors import TmuxLifeError

DIRECTORY = "__snapshots__"
# The nonce of a prompt of ours differs from pane to pane, its number from one
# command to the next.
_PROMPT = re.compile(r"\[[0-9a-f]{4}(?::\d+)?\]\$")
_CONTINUATION = re.compile(r"\[[0-9a-f]{4}\+\]>")
_LINE_END = re.compile(r"\r\n?")
_UNSAFE = re.compile(r"[^\w.-]+")


def comparable(text: str) -> str:
    """The text as it is stored: the same in each run, and ended by a line feed.

    Prompts of ours are ``$`` and ``>``, without trailing blanks and last empty lines.
    """
    # Bytes that are no text, as os.fsdecode gives them, cannot be written.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    text = _LINE_END.sub("\n", text)
    text = _CONTINUATION.sub(">", _PROMPT.sub("$", text))
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n") + "\n"


def file_name(name: str) -> str:
    """A file's name for *name*; different ones for different names."""
    safe = _UNSAFE.sub("-", name).strip("-.")[:100] or "screen"
    if safe == name:
        return f"{safe}.txt"
    import hashlib

    return f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.txt"


def marked_lines(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """All lines: those of *before* alone behind ``-``, of *after* alone behind ``+``.

    Rows that differ at one place are paired by their order. (difflib.ndiff looks for
    the most alike instead, for seconds where a large screen is quite another.)
    """
    import difflib
    import itertools

    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            yield from (f"  {line}" for line in before[start:end])
            continue
        gone, come = before[start:end], after[other_start:other_end]
        for one, other in itertools.zip_longest(gone, come):
            if one is not None:
                yield f"- {one}"
            if other is not None:
                yield f"+ {other}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One stored screen, which may not be there yet.

    Attributes:
        path: Of its file.
        shown_path: The same, to show.
    """

    path: str
    shown_path: str

    @property
    def text(self) -> str | None:
        """What is stored, as `comparable` has it; None if nothing is.

        An editor or git may have given the file other ends of lines.
        """
        try:
            with open(self.path, encoding="utf-8", errors="backslashreplace") as file:
                return comparable(file.read())
        except FileNotFoundError:
            return None

    def store(self, text: str) -> None:
        """Write it, whole or not at all; nothing if that is stored already."""
        if self.is_same(text):
            return
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        write_whole(self.path, comparable(text))

    def is_same(self, text: str) -> bool:
        """That is stored."""
        return self.text == comparable(text)

    def difference(self, text: str) -> str | None:
        """What differs from what is stored, line by line; None if nothing does."""
        stored, shown = self.text, comparable(text)
        if stored == shown:
            return None
        if stored is None:
            head, lines = "it is not stored yet; shown is:", _lines(shown)
        else:
            head = "(- is stored, + is shown)"
            lines = list(marked_lines(_lines(stored), _lines(shown)))
        return "\n".join([head, *(f"    {line}".rstrip() for line in lines)])


def _lines(text: str) -> list[str]:
    # Not splitlines: a line may hold what only Python takes for the end of one.
    return text.removesuffix("\n").split("\n")


@dataclass(slots=True)
class Snapshots:
    """Those of one test.

    Attributes:
        module: Path of the test's module, beside which they are stored.
        test: Name of the test within it, with its parameters.
        is_updating: What is shown is stored, instead of compared.
    """

    module: str
    test: str
    is_updating: bool
    _taken: set[str] = field(default_factory=set)

    def take(self, name: str = "") -> Snapshot:
        """The one of that name, or the test's next one.

        Raises:
            TmuxLifeError: The test has had that one already.
        """
        full = f"{self.test}-{name}" if name else self.test
        number = 1
        while not name and full in self._taken:
            number += 1
            full = f"{self.test}-{number}"
        if full in self._taken:
            raise TmuxLifeError(
                f"snapshot {name!r} was compared already in this test (one without a "
                "name is counted: 2, 3 ...); one of another moment needs a name of "
                "its own"
            )
        self._taken.add(full)
        stem = os.path.splitext(os.path.basename(self.module))[0]
        shown = os.path.join(DIRECTORY, stem, file_name(full))
        return Snapshot(os.path.join(os.path.dirname(self.module), shown), shown)


# Gives those of the test that runs in this process; None where there is none.
of_test: Callable[[], Snapshots] | None = None
