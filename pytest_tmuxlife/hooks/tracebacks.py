"""Whose lines the report of a failing test shows."""

from __future__ import annotations

import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_tmuxlife.errors import TmuxLifeError

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr, TracebackEntry

_OWN = Path(__file__).parents[1]


def leave_out_own_lines(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Have an error shown where the tested code has met it, if it is none within ours.

    Which of our own functions has raised it is nobody's concern. ``--full-trace``
    shows all.

    Source: pytest, "Writing well integrated assertion helpers".
    """
    for entry in excinfo.traceback:
        if _is_own(entry):
            # It holds for a module as for a function.
            entry.frame.f_globals["__tracebackhide__"] = _is_met_outside


def is_met_in_fixtures(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """It is an error of ours, and no line of the tested code led to it."""
    return excinfo.errisinstance(TmuxLifeError) and not any(
        _is_tested(entry) for entry in excinfo.traceback
    )


def in_one_sentence(excinfo: pytest.ExceptionInfo[BaseException]) -> TerminalRepr:
    """Type and text of the error, without any place."""
    shown = excinfo.getrepr(style="value")
    for entry in shown.reprtraceback.reprentries:
        first, *rest = entry.lines
        entry.lines = [f"{excinfo.typename}: {first}", *rest]
    return shown


def _is_met_outside(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    entries = excinfo.traceback
    if not any(_is_tested(entry) for entry in entries):
        return False
    # A function that we were given can raise what it likes.
    return excinfo.errisinstance(TmuxLifeError) or _is_tested(entries[-1])


def _is_tested(entry: TracebackEntry) -> bool:
    return not _is_own(entry) and _installed().isdisjoint(Path(entry.path).parents)


@cache
def _installed() -> set[Path]:
    """Where pytest stands, its plugins, and what they are made of."""
    # Debian has pytest elsewhere than what is installed by pip.
    names = ("stdlib", "purelib", "platlib")
    libraries = {Path(sysconfig.get_path(name)) for name in names}
    return {Path(pytest.__file__).parents[1], *libraries}


def _is_own(entry: TracebackEntry) -> bool:
    return _OWN in Path(entry.path).parents
