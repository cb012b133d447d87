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
