"""What was measured, as a plain table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.measuring import Sample

_HEADER = ("", "median", "p99", "n", "ratio", "target", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it is, and its figures as text."""

    what: str
    median: str
    p99: str = ""
    n: str = ""
    ratio: str = ""
    target: str = ""
    met: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.what,
            self.median,
            self.p99,
            self.n,
            self.ratio,
            self.target,
            self.met,
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A table under a title; ``notes`` say what was done and compared."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What a median is held to.

    Attributes:
        seconds: At most so long; None for no such limit.
        ratio: At most so many times the reference; None for no such limit.
    """

    seconds: float | None = None
    ratio: float | None = None

    @property
    def text(self) -> str:
        parts = []
        if self.seconds is not None:
            parts.append(f"<= {milliseconds(self.seconds)}")
        if self.ratio is not None:
            parts.append(f"<= {self.ratio:g} x")
        return ", ".join(parts)

    def is_met(self, median: float, reference: float) -> bool:
        return (self.seconds is None or median <= self.seconds) and (
            self.ratio is None or median / reference <= self.ratio
        )


def milliseconds(seconds: float) -> str:
    """Three significant digits, in milliseconds."""
    value = seconds * 1000
    digits = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{digits}f} ms"


def rows_of(
    samples: Mapping[str, Sample], reference: str, targets: Mapping[str, Target]
) -> list[Row]:
    """A row for each sample, with its ratio to the one named *reference*."""
    base = samples[reference].median
    rows = []
    for what, sample in samples.items():
        target = targets.get(what)
        met = ""
        if target is not None:
            met = "yes" if target.is_met(sample.median, base) else "NO"
        rows.append(
            Row(
                what,
                milliseconds(sample.median),
                milliseconds(sample.p99),
                str(sample.n),
                f"{sample.median / base:.2f}",
                target.text if target is not None else "",
                met,
            )
        )
    return rows


def render(section: Section) -> str:
    """The section as lines of text."""
    table = [(section.title, *_HEADER[1:]), *(row.cells for row in section.rows)]
    used = [i for i in range(len(_HEADER)) if i < 2 or any(r[i] for r in table[1:])]
    widths = {i: max(len(row[i]) for row in table) for i in used}
    lines = []
    for row in table:
        cells = [
            row[i].ljust(widths[i]) if i == 0 else row[i].rjust(widths[i]) for i in used
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    lines += [f"  {note}" for note in section.notes]
    return "\n".join(lines)
