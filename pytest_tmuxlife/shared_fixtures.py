"""The tmux server that all tests of a run share, as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tmuxlife.errors import TmuxLifeError, TmuxNotFound
from pytest_tmuxlife.hooks.output import OUTPUT_KEY
from pytest_tmuxlife.hooks.stash import (
    KEEPER_KEY,
    SETTINGS_KEY,
    harness_of,
)
from pytest_tmuxlife.terminal.start.options import Options

if TYPE_CHECKING:
    from pytest_tmuxlife.harness.keeper import Keeper
    from pytest_tmuxlife.terminal.server import Server

SHARED = "tmux_shared_server"
_KEEPER = "_tmux_keeper"
_CHECK = "_tmux_shared_check"


@pytest.fixture(scope="session")
def tmux_shared_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One tmux server for all tests; each is held to what it adds to it."""
    config = request.config
    harness = harness_of(config)
    settings = config.stash[SETTINGS_KEY]
    try:
        harness.require_tmux()
    except TmuxNotFound as error:
        pytest.skip(error.reason)
    from pytest_tmuxlife.leaks.model import Finding

    server = harness.share(
        Options(
            program=settings.program,
            size=settings.size,
            timeout=settings.timeout,
            cwd=str(tmp_path_factory.mktemp(SHARED)),
        )
    ).server
    yield server
    verdict = harness.end_shared()
    if verdict is not None and verdict.leaks:
        finding = Finding(SHARED, scope="fixture", verdicts=(verdict,))
        config.stash[OUTPUT_KEY].report_wider(finding)


@pytest.fixture
def _tmux_shared_check(_tmux_keeper: Keeper, tmux_shared_server: Server) -> None:
    _tmux_keeper.share()


def hold_to_what_it_adds(item: pytest.Item) -> None:
    """Have a test that uses the shared server checked around all it sets up itself.

    So after the fixtures of wider scope, and before the first one of its own.
    """
    if not isinstance(item, pytest.Function) or _CHECK in item.fixturenames:
        return
    definitions = item._fixtureinfo.name2fixturedefs
    own = (
        place
        for place, name in enumerate(item.fixturenames)
        if name in definitions and definitions[name][-1].scope == "function"
    )
    place = next(own, len(item.fixturenames))
    item.fixturenames[place:place] = [_KEEPER, _CHECK]


def watch_for_late_requests(session: pytest.Session) -> None:
    """Have a test that asks for the shared server by getfixturevalue held too.

    From that moment on. pytest calls no hook for a fixture that is set up
    already, so each request passes through here.
    """
    definitions = session._fixturemanager.getfixturedefs(SHARED, session) or ()
    for definition in definitions:
        execute = definition.execute

        def asked(request: Any, execute: Any = execute) -> Any:
            item = request._pyfuncitem
            if _CHECK in getattr(item, "fixturenames", ()):
                return execute(request)
            _refuse_for_wider(request, item)
            server = execute(request)
            _hold_from_now(item)
            return server

        definition.execute = asked  # type: ignore[method-assign]


def _refuse_for_wider(request: Any, item: pytest.Item) -> None:
    """What a fixture of wider scope adds must be there before a test is held.

    Raises:
        TmuxLifeError: Such a fixture is being set up, and is the one that asks.
    """
    above = getattr(request, "_parent_request", None)
    while above is not None and hasattr(above, "_fixturedef"):
        if above.scope != "function" and above._fixturedef.cached_result is None:
            raise TmuxLifeError(
                f"fixture {above.fixturename} ({above.scope}) uses {SHARED}, and "
                f"{item.nodeid} came to it too late to be held to what it adds itself: "
                f'mark the test with pytest.mark.usefixtures("{SHARED}")'
            )
        above = getattr(above, "_parent_request", None)


def _hold_from_now(item: Any) -> None:
    keeper = item.stash.get(KEEPER_KEY, None)
    is_held = keeper is not None and keeper.shared is not None
    # In its teardown nothing can be set up any more; the next test finds what it adds.
    if not is_held and item in item.session._setupstate.stack:
        item._request.getfixturevalue(_KEEPER).share()
