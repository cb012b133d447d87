"""What one row of the table says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Row:
    """What is typed in a pane of its own, and when it has taken effect.

    In the line and in ``ready``, ``$HOST`` is a loopback address that only
    this row uses and ``$HEX`` the same as /proc/net/tcp shows it, ``$PYTHON``
    the interpreter, ``$PROGRAMS`` the directory of the tests' own programs.
    Sockets and files belong into the pane's directory, which has a short path.

    Attributes:
        name: What the row is called.
        line: What is typed.
        needs: Programs without which it cannot be run.
        files: Written in the pane's directory before that.
        ready: A condition of sh(1), true once the line has taken effect.
        shell: What runs in the pane.
        root: Only root can run it.
    """

    name: str
    line: str
    needs: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    ready: str = "true"
    shell: str = "bash"
    root: bool = False

    @property
    def programs(self) -> tuple[str, ...]:
        """All that must be installed."""
        return (
            self.needs if self.shell == "bash" else (*self.needs, self.shell.split()[0])
        )

    def can_run(self) -> bool:
        """Its programs are installed."""
        return all(shutil.which(program, path=PATH) for program in self.programs)


@dataclass(frozen=True)
class Kind(Row):
    """A row whose processes outlive their pane.

    Attributes:
        survivors: (name, why) of each, in any order; both are patterns of
            fnmatch, and ``N`` stands for a number.
        holds: Targets of descriptors that the report must show, as patterns
            of fnmatch, in which ``$HOST`` and ``$PWD`` mean the row's.
        foreign: What survives is a program that nobody here wrote.
        drops_root: Started by root, it becomes the user nobody.
        missed_by: Layers that do not find every survivor.
        secretive: It shows its descriptors and environment to root alone
            (prctl(2), PR_SET_DUMPABLE), as what keeps secrets does; so the
            marker is not found by an ordinary user.
    """

    survivors: tuple[tuple[str, str], ...] = ()
    holds: tuple[str, ...] = ()
    foreign: bool = False
    drops_root: bool = False
    missed_by: tuple[str, ...] = ()
    secretive: bool = False


@dataclass(frozen=True)
class Twin(Row):
    """The like of a kind that ends as it should.

    Attributes:
        runs: Names of what runs once it is ready, besides the shell.
        stop: What is typed to end it; without, the pane's hang-up must do.
        interrupt: C-c is pressed to end it.
    """

    runs: tuple[str, ...] = ()
    stop: str = ""
    interrupt: bool = False


@dataclass(frozen=True)
class Left:
    """One thing that a test has left in the pytest process.

    Attributes:
        name: What the report calls it, a pattern of fnmatch in which ``N``
            stands for each number and ``$TMP`` for the test's tmp_path.
        why: What the report says of it.
        seen_by: The layers that find it.
        has_place: The report has the line that made it.
    """

    name: str
    why: str
    seen_by: tuple[str, ...]
    has_place: bool


@dataclass(frozen=True)
class Holding:
    """A way in which a test leaves something in the pytest process.

    Attributes:
        name: What the row is called.
        opens: The body of a test, with what ``programs/leaving.py`` has.
        closes: What undoes it, as the twin does in the end.
        left: What is there without that, in any order.
        outlives_pytest: It does not go with the process, nor is it ended.
    """

    name: str
    opens: str
    closes: str
    left: tuple[Left, ...]
    outlives_pytest: bool = False


@dataclass(frozen=True)
class Passing:
    """The like of a holding that goes by itself, or is no test's.

    Attributes:
        name: What the row is called.
        body: Of the test.
        fixtures: Their names, as its arguments.
        before: What stands before the test.
    """

    name: str
    body: str
    fixtures: str = "tmp_path"
    before: str = ""
