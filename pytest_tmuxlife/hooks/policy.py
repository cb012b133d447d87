"""Which test is held to what it leaves, and how strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_tmuxlife.hooks.stash import KEEPER_KEY, SETTINGS_KEY
from pytest_tmuxlife.leaks.rules import AskedRule
from pytest_tmuxlife.settings import LEVELS, leak_level

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_tmuxlife.containment.processes import ProcessInfo

MARKER = "tmux_leak_check"
_KEEPER = "_tmux_keeper"
_OPENING = frozenset({"tmux_server", "tmux_server_factory"})
_LAST_KEY: pytest.StashKey[pytest.Item | None] = pytest.StashKey()
_GIVEN_KEY: pytest.StashKey[str] = pytest.StashKey()


def level_of(item: pytest.Item) -> str:
    """``off``, ``warn`` or ``fail``: the marker's, else the run's.

    Where neither is given, tests that use a fixture of ours are held to
    ``fail``, and no others.

    Raises:
        pytest.UsageError: The marker has a level that is none.
    """
    given = item.stash.get(_GIVEN_KEY, None)
    if given is None:
        # Asked for several times in every test.
        given = item.stash[_GIVEN_KEY] = _level_given(item) or ""
    return given or ("fail" if uses_ours(item) else "off")


def _level_given(item: pytest.Item) -> str | None:
    """By the marker, else for the run; None where neither says anything."""
    marker = item.get_closest_marker(MARKER)
    if marker is not None:
        return _level_of_marker(marker, item.nodeid)
    return item.config.stash[SETTINGS_KEY].leak_check


def uses_ours(item: pytest.Item) -> bool:
    """The test has servers of its own to be held to."""
    asked_by_name = KEEPER_KEY in item.stash
    return asked_by_name or _KEEPER in getattr(item, "fixturenames", ())


def more_follow(item: pytest.Item) -> bool:
    """A test that stands behind this one asks for a server of its own by name.

    A worker of pytest-xdist does not run all of them.
    """
    stash = item.config.stash
    if _LAST_KEY not in stash:
        asking = (other for other in reversed(item.session.items) if _asks(other))
        stash[_LAST_KEY] = next(asking, None)
    return stash[_LAST_KEY] not in (None, item)


def _asks(item: pytest.Item) -> bool:
    return not _OPENING.isdisjoint(getattr(item, "fixturenames", ()))


def is_anybody_held(items: Iterable[pytest.Item]) -> bool:
    """Some test is held to what it leaves in this process.

    Raises:
        pytest.UsageError: A marker has a level that is none.
    """
    return any(level != "off" for level in [level_of(item) for item in items])


def _level_of_marker(marker: pytest.Mark, nodeid: str) -> str:
    given = [*marker.args, *marker.kwargs.values()]
    names = ", ".join(LEVELS)
    if len(given) != 1 or set(marker.kwargs) - {"level"}:
        raise pytest.UsageError(
            f"marker {MARKER} of {nodeid}: takes one level: {names}"
        )
    try:
        return leak_level(str(given[0]))
    except ValueError as error:
        raise pytest.UsageError(
            f"marker {MARKER}({given[0]!r}) of {nodeid}: {error}"
        ) from None


def ignore_hook(item: pytest.Item) -> AskedRule | None:
    """The hook as a rule; None if nobody has it."""
    hook = item.ihook.pytest_tmuxlife_ignore
    if not hook.get_hookimpls():
        return None

    def ask(process: ProcessInfo) -> str | None:
        reason: str | None = hook(process=process)
        return reason

    return AskedRule(ask, "hook pytest_tmuxlife_ignore")
