"""The marker ``tmux_known_leak``, read when the tests are collected."""

from __future__ import annotations

import inspect

import pytest

from pytest_tmuxlife.leaks.known import KnownLeak, make_known

MARKER = (
    "tmux_known_leak(match=, reason=, issue='', strict=True): a leak that is accepted "
    "while it happens; with strict, the test fails once it does not"
)
_NAME = "tmux_known_leak"
_KNOWN_KEY: pytest.StashKey[tuple[KnownLeak, ...]] = pytest.StashKey()


def known_leaks_of(item: pytest.Item) -> tuple[KnownLeak, ...]:
    """Those that the test's markers name, the nearest first.

    Raises:
        pytest.UsageError: A marker with a bad argument; names both.
    """
    known = item.stash.get(_KNOWN_KEY, None)
    if known is None:
        known = tuple(_read(mark, item) for mark in item.iter_markers(_NAME))
        item.stash[_KNOWN_KEY] = known
    return known


def _read(mark: pytest.Mark, item: pytest.Item) -> KnownLeak:
    where = f"marker {_NAME} of {item.nodeid}"
    valid = ", ".join(f"{name}=" for name in inspect.signature(make_known).parameters)
    if mark.args:
        raise pytest.UsageError(f"{where} takes arguments by name only: {valid}")
    try:
        inspect.signature(make_known).bind(**mark.kwargs)
    except TypeError as error:
        raise pytest.UsageError(f"{where}: {error}; it takes {valid}") from None
    try:
        return make_known(**mark.kwargs)
    except ValueError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
