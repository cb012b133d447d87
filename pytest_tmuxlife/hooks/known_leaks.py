"""The marker ``tmux_known_leak``, read when the tests are collected."""

from __future__ import annotations

import inspect

import pytest

from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.leaks.known import KnownLeak, make_known

MARKER = (
    "tmux_known_leak(match=, reason=, issue='', strict=True): a leak that is accepted "
    "while it happens; with strict, the test fails once it does not"
)
_NAME = "tmux_known_leak"


def known_leaks_of(item: pytest.Item) -> tuple[KnownLeak, ...]:
    """Those that the test's markers name, the nearest first.

    Raises:
        TmuxLifeError: A marker with a bad argument; names both.
    """
    return tuple(_read(mark, item) for mark in item.iter_markers(_NAME))


def errors_of_markers(item: pytest.Item) -> list[str]:
    """What is wrong with the test's markers, if something is."""
    try:
        known_leaks_of(item)
    except TmuxLifeError as error:
        return [str(error)]
    return []


def _read(mark: pytest.Mark, item: pytest.Item) -> KnownLeak:
    where = f"marker {_NAME} of {item.nodeid}"
    valid = ", ".join(f"{name}=" for name in inspect.signature(make_known).parameters)
    if mark.args:
        raise TmuxLifeError(f"{where} takes arguments by name only: {valid}")
    try:
        inspect.signature(make_known).bind(**mark.kwargs)
    except TypeError as error:
        raise TmuxLifeError(f"{where}: {error}; it takes {valid}") from None
    try:
        return make_known(**mark.kwargs)
    except ValueError as error:
        raise TmuxLifeError(f"{where}: {error}") from None
