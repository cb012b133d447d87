"""The fixtures: servers, sessions and panes for a test, and its leak check."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_tmuxlife import arguments
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.errors import (
    ExpectationFailed,
    LeakError,
    TmuxLifeError,
    TmuxNotFound,
)
from pytest_tmuxlife.hooks.guard import Guarded
from pytest_tmuxlife.hooks.known_leaks import known_leaks_of
from pytest_tmuxlife.hooks.policy import ignore_hook, more_follow
from pytest_tmuxlife.hooks.stash import (
    KEEPER_KEY,
    MIDDLE_KEY,
    SETTINGS_KEY,
    UNREPORTED_KEY,
    harness_of,
)
from pytest_tmuxlife.leaks.rules import make_rule
from pytest_tmuxlife.terminal.start.options import Options

# A run that uses none of these fixtures does not pay for what is behind them.
if TYPE_CHECKING:
    from pytest_tmuxlife.harness.keeper import Keeper
    from pytest_tmuxlife.hooks.middle import Middle
    from pytest_tmuxlife.leaks.leak import Leak
    from pytest_tmuxlife.run_settings import Settings
    from pytest_tmuxlife.terminal.attached import AttachedClient
    from pytest_tmuxlife.terminal.pane import Pane
    from pytest_tmuxlife.terminal.server import Server
    from pytest_tmuxlife.terminal.session import Session
    from pytest_tmuxlife.terminal.sight.screen import Screen


class ServerFactory(Protocol):
    """What `tmux_server_factory` gives."""

    def __call__(self, **options: Any) -> Server:
        """A fresh server; options win over the marker and ``tmux_options``.

        Raises:
            TmuxLifeError: An unknown option or a bad value.
        """
        ...


class ClientFactory(Protocol):
    """What `tmux_client_factory` gives."""

    def __call__(
        self, session: Session | None = None, size: object = (80, 24)
    ) -> AttachedClient:
        """A terminal that is attached to *session*, or to `tmux_session`.

        Args:
            session: None for the one of `tmux_session`.
            size: Columns and rows, as a pair or as ``80x24``.

        Raises:
            TmuxLifeError: A size that cannot be.
            PaneNotReady: It did not get attached.
        """
        ...


class SnapshotCheck:
    """What `tmux_snapshot` gives: compares a screen with the stored one."""

    def __call__(self, shown: Screen | Pane | str, name: str = "") -> None:
        """Fail if *shown* is not what is stored for this test.

        Looks once; `Expectation.to_match_snapshot` waits for it.

        Args:
            shown: A screen, a pane for what it shows now, or a text.
            name: Of the snapshot; "" for the next one of the test.

        Raises:
            ExpectationFailed: Something else is stored, or nothing; says what differs.
            TmuxLifeError: It is nothing that is shown, or the test has had a snapshot
                of that name.
        """
        __tracebackhide__ = True
        from pytest_tmuxlife import arguments
        from pytest_tmuxlife.artifacts import snapshots
        from pytest_tmuxlife.terminal.expectation import mismatch
        from pytest_tmuxlife.terminal.pane import Pane
        from pytest_tmuxlife.terminal.sight.screen import Screen

        arguments.text("name", name)
        if not isinstance(shown, (Pane, Screen, str)):
            raise arguments.refused("shown", shown, "a Pane, a Screen or a text")
        assert snapshots.of_test is not None
        of_test = snapshots.of_test()
        screen = shown.screen() if isinstance(shown, Pane) else shown
        store = of_test.take(name)
        if of_test.is_updating:
            store.store(str(screen))
        elif store.difference(str(screen)) is not None:
            raise ExpectationFailed(
                f"expected the screen to match snapshot {store.shown_path}: "
                f"{mismatch(store, str(screen))}",
                pane=shown.id if isinstance(shown, Pane) else "",
                expected=f"to match snapshot {store.shown_path}",
                timeout=0.0,
                screen=None if isinstance(screen, str) else screen,
            )


class LeakCheck:
    """The running check of a test: what `tmux_leaks` gives."""

    def __init__(self, keeper: Keeper, middle: Middle | None = None) -> None:
        self._keeper = keeper
        self._middle = middle
        self.take_baseline()

    def check(self, grace: float = 0.0) -> list[Leak]:
        """What is not accounted for now; nothing is ended, nobody fails.

        - Of the test's tmux servers: what no living pane or job accounts for,
          so orphans, and programs that outlived their pane.
        - Of the pytest process: descriptors, children, their orphans, tmux
          servers of the tested code and shared memory that appeared since the
          baseline and are there still, whoever holds them. A file that the
          test itself is about to close is among them: look where the tested
          code should have closed all, or call `take_baseline` after you have
          opened what is yours.

        The baseline is taken when the body of the test begins; what a fixture
        opens while it is set up is left out, also one that the body asks for.
        So is what no test is held to (garbage, what a module opens when it is
        imported, what belongs to a fixture of wider scope), and what a rule
        allows. At the level ``off`` the pytest process is not looked at.

        Args:
            grace: Seconds in which what is on its way out may go.

        Raises:
            TmuxLifeError: A grace that cannot be waited.
            ServerNotRunning: A server is there, and does not answer.
        """
        deadline = Deadline(arguments.seconds("grace", grace))
        leaks = self._keeper.check(grace)
        if self._middle is not None:
            leaks += self._middle.look(deadline.remaining, self._keeper.all_rules)
        return leaks

    def take_baseline(self) -> None:
        """Leave what the pytest process holds now out of the checks that follow.

        The verdict at the end of the test asks for it all the same.
        """
        if self._middle is not None:
            self._middle.begin()

    def ignore(
        self, match: str | re.Pattern[str], reason: str, keep: bool = False
    ) -> None:
        """Allow processes to outlive this test.

        Those of its tmux servers, children of pytest, orphans of these and
        tmux servers of the tested code, each by itself. What is no process is
        allowed too: it is nobody's to end.

        Args:
            match: Regular expression, searched in the command line, or in
                what is no process (``11w /var/log/agent.jsonl``).
            reason: Why; shown beside what it allowed.
            keep: Let them live until the run ends, instead of ending them
                after the verdict.

        Raises:
            ValueError: An expression that is invalid or matches everything,
                or no reason.
        """
        self._keeper.rules.append(
            make_rule(match, reason, keep=keep, source="tmux_leaks.ignore")
        )

    def assert_none(self, grace: float = 2.5) -> None:
        """Fail now if `check` finds something after *grace* seconds.

        Raises:
            LeakError: Something is there; ``.leaks`` has it.
        """
        leaks = self.check(grace)
        if leaks:
            from pytest_tmuxlife.leaks.report import count

            lines = [f"{count(leaks)} not accounted for:"]
            lines += [f"  {leak}" for leak in leaks]
            raise LeakError("\n".join(lines), leaks=leaks)


@pytest.fixture
def tmux_options() -> dict[str, Any]:
    """Default options for this test's tmux servers; override to change them."""
    return {}


@pytest.fixture
def _tmux_keeper(
    request: pytest.FixtureRequest, tmux_options: Mapping[str, Any]
) -> Iterator[Keeper]:
    config = request.config
    options = _options_of(request, config.stash[SETTINGS_KEY], tmux_options)
    harness = harness_of(config)
    try:
        harness.require_tmux()
    except TmuxNotFound as error:
        pytest.skip(error.reason)
    from pytest_tmuxlife.harness.keeper import Keeper

    keeper = Keeper(
        harness,
        request.node.nodeid,
        options,
        asked=ignore_hook(request.node),
        known=known_leaks_of(request.node),
        more_follow=more_follow(request.node),
    )
    config.stash[UNREPORTED_KEY].append(keeper)
    request.node.stash[KEEPER_KEY] = keeper
    directory = harness.tmpdirs.current
    if os.environ.get("TMUX_TMPDIR") != directory:
        # Else it is that of this test already.
        directory = harness.tmpdirs.renew()
    guarded = Guarded(directory)
    try:
        yield keeper
    finally:
        guarded.restore()
        keeper.end(spare_survivors=bool(config.getoption("usepdb", False)))


def _options_of(
    request: pytest.FixtureRequest, settings: Settings, given: Mapping[str, Any]
) -> Options:
    options = Options(
        program=settings.program, size=settings.size, timeout=settings.timeout
    )
    if not isinstance(given, Mapping):
        raise TmuxLifeError(
            f"fixture tmux_options must return a dict of options, not {given!r}"
        )
    options = options.updated(given, "fixture tmux_options")
    for marker in reversed(list(request.node.iter_markers("tmux"))):
        if marker.args:
            raise TmuxLifeError(
                f"marker tmux of {request.node.nodeid} takes options by name only"
            )
        where = f"marker tmux of {request.node.nodeid}"
        options = options.updated(marker.kwargs, where)
    if options.cwd is None:
        cwd = str(request.getfixturevalue("tmp_path"))
        options = options.updated({"cwd": cwd}, "tmp_path")
    return options


@pytest.fixture
def tmux_server_factory(_tmux_keeper: Keeper) -> ServerFactory:
    """``factory(**options) -> Server``; every one is verified at the end."""

    def factory(**options: Any) -> Server:
        server = _tmux_keeper.open_server(options, "tmux_server_factory")
        server.start()
        _tmux_keeper.prepare_next()
        return server

    return factory


@pytest.fixture
def tmux_server(request: pytest.FixtureRequest, _tmux_keeper: Keeper) -> Server:
    """A fresh tmux server on a private socket, without any session."""
    server = _tmux_keeper.open_server({}, "tmux_server")
    if "tmux_session" not in request.fixturenames:
        # The first session starts server and shell in one go: twice as fast.
        server.start()
        _tmux_keeper.prepare_next()
    return server


@pytest.fixture
def tmux_session(tmux_server: Server, _tmux_keeper: Keeper) -> Session:
    """The first session of `tmux_server`; its shell shows its prompt."""
    session = tmux_server.new_session()
    _tmux_keeper.prepare_next()
    return session


@pytest.fixture
def tmux_pane(tmux_session: Session) -> Pane:
    """The pane of `tmux_session`; its shell shows its prompt."""
    return tmux_session.pane


@pytest.fixture
def tmux_client_factory(
    request: pytest.FixtureRequest, _tmux_keeper: Keeper
) -> Iterator[ClientFactory]:
    """``factory(session=None, size=(80, 24))`` attaches one more; each is ended."""
    from pytest_tmuxlife.terminal.attached import AttachedClient

    with contextlib.ExitStack() as clients:

        def factory(
            session: Session | None = None, size: object = (80, 24)
        ) -> AttachedClient:
            if session is None:
                session = request.getfixturevalue("tmux_session")
            client = AttachedClient(session, size)
            clients.callback(client.end)
            return client

        yield factory


@pytest.fixture
def tmux_client(
    tmux_session: Session, tmux_client_factory: ClientFactory
) -> AttachedClient:
    """A real terminal, attached to `tmux_session`: a ``pexpect.spawn``."""
    return tmux_client_factory(tmux_session)


@pytest.fixture
def tmux_snapshot() -> SnapshotCheck:
    """``tmux_snapshot(pane, name="")``: fail unless it shows what is stored."""
    return SnapshotCheck()


@pytest.fixture
def tmux_env(tmux_server: Server) -> dict[str, str]:
    """Environment for a program under test: a bare ``tmux`` reaches `tmux_server`."""
    return tmux_server.env


@pytest.fixture
def tmux_leaks(request: pytest.FixtureRequest, _tmux_keeper: Keeper) -> LeakCheck:
    """The running leak check: look, allow, or fail in the middle of the test."""
    return LeakCheck(_tmux_keeper, request.config.stash.get(MIDDLE_KEY, None))
