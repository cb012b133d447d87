"""The examples of a page: code blocks, and what HTML comments say of them.

``<!-- file: NAME -->`` names the file that the next block is written to. Files
are gathered until a block has ``<!-- run: ARGUMENTS; passed=1 failed=1 -->``
too: then pytest runs, and is to end so. ``<!-- output -->`` says that the next
block is what that run prints, but for numbers and directories;
``<!-- output: part -->`` that its lines are among what it prints.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if not {"_build", "examples"}.intersection(path.relative_to(ROOT).parts)
    ),
]

_TOKEN = re.compile(
    r"^<!-- (?P<name>file|run|output)(?:: (?P<value>.*?))? -->$"
    r"|^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Example:
    """One run of pytest that a page shows.

    Attributes:
        page: The page.
        line: Where its last block begins.
        files: Contents by name.
        arguments: For pytest.
        outcomes: How many of each.
        output: What the page says it prints, or "".
        whole: That stands there without a gap.
    """

    page: Path
    line: int
    files: dict[str, str]
    arguments: list[str]
    outcomes: dict[str, int]
    output: str = ""
    whole: bool = False

    @property
    def id(self) -> str:
        """Page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class Page:
    """What was found on a page.

    Attributes:
        examples: In order.
        unmarked: Lines of Python blocks that nothing runs.
    """

    examples: list[Example] = field(default_factory=list)
    unmarked: list[int] = field(default_factory=list)


def read(path: Path) -> Page:
    """The examples of a page."""
    page = Page()
    source = path.read_text()
    files: dict[str, str] = {}
    said: dict[str, str] = {}
    for token in _TOKEN.finditer(source):
        if token["name"]:
            said[token["name"]] = token["value"] or "whole"
            continue
        line = source.count("\n", 0, token.start()) + 1
        if "output" in said:
            page.examples[-1].output = token["text"]
            page.examples[-1].whole = said["output"] == "whole"
        elif "file" in said:
            files[said["file"]] = token["text"]
            if "run" in said:
                arguments, outcomes = _run(said["run"])
                page.examples.append(Example(path, line, files, arguments, outcomes))
                files = {}
        elif token["language"] == "python":
            page.unmarked.append(line)
        said = {}
    return page


def _run(value: str) -> tuple[list[str], dict[str, int]]:
    arguments, _, outcomes = value.rpartition(";")
    counts = (word.split("=") for word in outcomes.split())
    return shlex.split(arguments), {name: int(count) for name, count in counts}


def comparable(text: str) -> list[str]:
    """Lines without what differs from run to run and from machine to machine."""
    return list(_comparable(text))


def _comparable(text: str) -> Iterator[str]:
    for line in text.splitlines():
        # tmux's own helper, which a look at the right moment sees.
        if re.search(r"─ (utempter|tmux: server) \d+ +gone$", line):
            continue
        line = re.sub(r"[├└│─]", " ", line)
        # pytest cuts the summary to the terminal's width, whatever the pids' lengths.
        line = re.sub(r"^(LEAKED .* - \d+ process) .*", r"\1", line)
        # Where the tested code ended the server, the look began at the test's end.
        line = re.sub(r"(looked for .* s) (?:after|at) .*", r"\1", line)
        # Whether the supervisor or the tmux server was there to wait for it.
        line = re.sub(r"gone, SIGHUP$", "gone", line)
        line = re.sub(r"(/[\w.:-]+)*/([\w.-]+)", r"\2", line)
        line = re.sub(r"\[[0-9a-f]+:\d+\]\$", "PROMPT", line)
        line = re.sub(r"user [\w-]+", "user U", line)
        line = re.sub(r"\d+(\.\d+)?", "N", line)
        line = re.sub(r"([=_])\1+", r"\1", line)
        yield " ".join(line.split())


def table(path: Path, name: str) -> list[tuple[str, ...]]:
    """Rows of the table that follows ``<!-- table: NAME -->``, header first."""
    _, mark, rest = path.read_text().partition(f"<!-- table: {name} -->\n")
    assert mark, f"{path.name} has no table {name}"
    lines = rest.split("\n\n", 1)[0].strip().splitlines()
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines
    ]
    return [row for row in rows if not set("".join(row)) <= {"-"}]
