"""Texts of every kind, where they are sent, and what must become of them."""

from __future__ import annotations

import contextlib
import os
import re
import select
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import strategies
from hypothesis.configuration import set_hypothesis_home_dir
from panes import wait_for_program

from pytest_tmuxlife import Pane, Server, TmuxLifeError
from pytest_tmuxlife.clock import Deadline

# What it keeps would be put into the working directory.
_HOME = tempfile.TemporaryDirectory(prefix="hypothesis-")
set_hypothesis_home_dir(_HOME.name)

WAYS = ("send_text", "send_line", "paste")
_LIMIT = 60.0
_LINE_LIMIT = 4095
_FRAGMENTS = (
    *("a", " ", "  ", "~", "!!", "!x", "'", '"', "\\", "{", "}", "%", "^C", "Enter"),
    # For tmux.
    *(";", "\\;", "-", "--", "-l", "-t %5", "#{pane_id}", "#(date)", "C-c"),
    # For shells.
    *("$HOME", "`x`", "$(y)", "&", "|", "*", "?", "[a", "<(z)", "\n", "\n\n"),
    # For terminals and line editors.
    *("\t", "\r\n", "\r", "\0", "\x1b", "\x1b[200~", "\x1b[A", "\x9b", "\x80", "\x85"),
    *("\x01", "\x03", "\x04", "\x08", "\x0f", "\x11", "\x12", "\x13", "\x15", "\x16"),
    *("\x17", "\x1a", "\x1c", "\x7f", "\n\t", "\n\x15"),
    # For whoever counts columns, bytes or characters.
    *("é", "日本", "e\u0301", "👍🏽", "👩\u200d👩\u200d👧", "\u200d"),
    *("\xad", "\ufeff", "\uffff", "\u0378", "\u202e", "\ue000", "\u2028"),
    *("\u2066", "\U0010ffff"),
    # Bytes that are no character, and what is none either.
    *("\udcff", "\udcc3", "\udce9\udc80", "\ud800", "\udfff"),
)
# Any character: `strategies.text` would read all of Unicode first.
_STRANGE = (
    strategies.sampled_from((0x2FF, 0xD7FF, 0x10FFFF))
    .flatmap(lambda last: strategies.integers(1, last))
    .map(chr)
)
_PIECES = strategies.one_of(
    strategies.sampled_from(_FRAGMENTS),
    strategies.sampled_from(_FRAGMENTS),
    _STRANGE,
    strategies.integers(1, 100).map(lambda count: "x" * count),
)
_SHORT = strategies.lists(_PIECES, max_size=12).map("".join)


def _long(char: str, size: int, tail: str) -> str:
    return char * (size // len(char.encode())) + tail


# Around the longest line that a cooked terminal takes.
_LONG = strategies.builds(
    _long,
    strategies.sampled_from("xé日👍"),
    strategies.integers(_LINE_LIMIT - 8, _LINE_LIMIT + 8),
    _SHORT,
)
TEXTS = strategies.integers(0, 19).flatmap(lambda one: _SHORT if one else _LONG)


@dataclass
class Place:
    """A program that gets the text, and tells what it got.

    Attributes:
        pane: Where it runs.
        refused: Characters that cannot arrive there.
        is_cooked: Its terminal edits lines itself.
    """

    pane: Pane
    refused: str = ""
    is_cooked: bool = True
    odd_bytes: bool = True

    def is_refused(self, sent: str) -> bool:
        """What the documentation says of *sent*."""
        if re.search("[\ud800-\udc7f\udd00-\udfff]", sent):
            return True
        if not self.odd_bytes and re.search("[\udc80-\udcff]", sent):
            return True
        lines = sent.encode("utf-8", "surrogateescape").split(b"\n")
        is_long = self.is_cooked and max(map(len, lines)) > _LINE_LIMIT
        return is_long or any(char in sent for char in self.refused)

    def send(self, way: str, text: str) -> bool:
        """Send *text* and end its line; False if it was refused, as it must be."""
        if self.is_refused(text):
            with pytest.raises(TmuxLifeError):
                getattr(self.pane, way)(text)
            return False
        getattr(self.pane, way)(text)
        if way != "send_line":
            self.pane.send_key("Enter")
        return True


class Reader(Place):
    """A ``cat`` on the terminal."""

    def __init__(self, pane: Pane, directory: Path, stty: str = "") -> None:
        super().__init__(pane, is_cooked="raw" not in stty and "-icanon" not in stty)
        path = directory / f"got-{pane.id[1:]}"
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._count = 0
        self._end = b"\r" if "raw" in stty else b"\n"
        pane.send_line(f"{stty and f'stty {stty}; '}exec cat > {path}")
        wait_for_program(pane, "cat")

    def close(self) -> None:
        """Read no more."""
        os.close(self._fd)

    def assert_arrives(self, way: str, text: str) -> None:
        """*text* arrives byte for byte, or is refused and nothing of it arrives."""
        self._count += 1
        mark = b"mark %d" % self._count + self._end
        is_sent = self.send(way, text)
        self.pane.send_line(f"mark {self._count}")
        data = text.encode("utf-8", "surrogateescape") + self._end if is_sent else b""
        assert self._read_until(mark) == data + mark

    def _read_until(self, mark: bytes) -> bytes:
        deadline = Deadline(_LIMIT)
        data = b""
        while not data.endswith(mark) and not deadline.expired:
            if select.select([self._fd], [], [], deadline.remaining)[0]:
                data += os.read(self._fd, 65536)
        return data


class Prompt(Place):
    """The prompt of a shell: the text stands quoted in a command."""

    def __init__(self, pane: Pane, directory: Path) -> None:
        is_cooked = pane.program == "dash"
        # Those that are signals, and flow control; a NUL is in no command line.
        refused = "\0" if is_cooked else "\0\x03\x1a\x1c\x11\x13"
        super().__init__(pane, refused, is_cooked, odd_bytes=is_cooked)
        self._path = directory / f"got-{pane.id[1:]}"

    def assert_arrives(self, way: str, text: str) -> None:
        """*text* is what the shell has printed, or was refused and left nothing."""
        if self.is_cooked:
            # It arrives, but dash drops it.
            text = text.replace("\0", "")
        quoted = text.replace("'", "'\\''")
        self._path.unlink(missing_ok=True)
        if self.send(way, f"printf %s '{quoted}' > {self._path}"):
            self.pane.wait_for_prompt()
            data = text.encode("utf-8", "surrogateescape")
            assert self._path.read_bytes() == data
        else:
            assert self.pane.is_at_prompt()
            assert self.pane.run("echo clean").output == "clean\n"
            assert not self._path.exists()


@contextlib.contextmanager
def place(name: str, server: Server, directory: Path) -> Iterator[Reader | Prompt]:
    """One of `PLACES`."""
    shell, kind = PLACES[name]
    pane = server.new_pane(shell)
    if kind == "prompt":
        yield Prompt(pane, directory)
        return
    reader = Reader(pane, directory, kind)
    yield reader
    reader.close()


PLACES = {
    "bash": ("bash", "prompt"),
    "dash": ("dash", "prompt"),
    "a reader started in bash": ("bash", ""),
    "a reader started in dash": ("dash", ""),
    "a raw reader": ("bash", "raw -echo"),
}
