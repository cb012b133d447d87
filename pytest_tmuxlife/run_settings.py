"""What holds for a whole run, as one frozen value. Knows no pytest.

Where the values come from is the business of `settings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tmuxlife.leaks.rules import IgnoreRule
    from pytest_tmuxlife.terminal.programs.program import Program


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole run.

    Attributes:
        leak_grace: Seconds in which what is on its way out may go.
        kill_grace: Seconds between TERM and KILL, after the verdict.
        timeout: Seconds for each wait that names none.
        timeout_scale: Every time limit of waits and calls is multiplied by it.
        program: What runs in a pane; None for bash, else the first shell found.
        size: Columns and rows.
        engine: ``native`` or ``process``.
        tmux: Path of the tmux program; None if there is none.
        tmux_asked: The name or path that was asked for.
        required: A missing or too old tmux stops the run.
        ignore: What may outlive a test.
        leak_check: ``off``, ``warn`` or ``fail`` for every test of the run; None
            where nothing says so, and only tests that use the fixtures are checked.
        without: What holds processes and is switched off.
        spare: A server is started before the next test asks for one.
    """

    leak_grace: float = 2.5
    kill_grace: float = 0.5
    timeout: float = 10.0
    timeout_scale: float = 1.0
    program: Program | None = None
    size: tuple[int, int] = (80, 24)
    engine: str = "native"
    tmux: str | None = None
    tmux_asked: str = "tmux"
    required: bool = False
    ignore: tuple[IgnoreRule, ...] = ()
    leak_check: str | None = None
    without: frozenset[str] = frozenset()
    spare: bool = True
