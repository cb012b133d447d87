"""Assertions on a pane that are tried again until they hold or time is up."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_tmuxlife import arguments
from pytest_tmuxlife.errors import (
    ExpectationFailed,
    PaneDied,
    ServerNotRunning,
    TmuxLifeError,
    WaitTimeout,
)
from pytest_tmuxlife.terminal.dialogue.exits import ExitStatus
from pytest_tmuxlife.terminal.dialogue.waits import compiled
from pytest_tmuxlife.terminal.pane import Pane
from pytest_tmuxlife.terminal.sight.screen import Screen

if TYPE_CHECKING:
    from pytest_tmuxlife.artifacts.snapshots import Snapshot


class Expectation:
    """What is asserted of one pane. Made by `expect`.

    Each method returns once its assertion holds, and raises `ExpectationFailed`,
    an AssertionError that shows the screen, if it does not within its limit, or
    the pane, its program or the server ends before.

    Args:
        pane: Of which it is.
    """

    def __init__(self, pane: Pane) -> None:
        self._pane = pane

    def to_show(
        self, pattern: str | re.Pattern[str], timeout: float | None = None
    ) -> re.Match[str]:
        """*pattern* is on the screen, other than as the echo of the last send.

        Unlike `Pane.wait_for_text` this takes what stood there before the last
        send too, and not what has scrolled away since.

        Args:
            pattern: Text as it is, or a compiled regular expression.
            timeout: Seconds; None for the pane's default.
        """
        __tracebackhide__ = True
        search, shown = compiled(pattern)
        with self._expected(f"to show {shown!r}", timeout):
            return self._pane.wait_until(
                lambda: search.search(self._pane.waits.visible_text()),
                timeout,
                f"text {shown!r}",
            )

    def not_to_show(
        self, pattern: str | re.Pattern[str], timeout: float | None = None
    ) -> None:
        """*pattern* is not on the screen, or goes, other than as an echo.

        What has not been printed yet is not on the screen: wait first for what
        comes with it, or after it.
        """
        __tracebackhide__ = True
        search, shown = compiled(pattern)

        def is_gone() -> bool | None:
            return search.search(self._pane.waits.visible_text()) is None or None

        with self._expected(f"not to show {shown!r}", timeout):
            self._pane.wait_until(is_gone, timeout, f"screen without {shown!r}")

    def to_be_at_prompt(self, timeout: float | None = None) -> None:
        """Its program shows its prompt and reads from it.

        Raises:
            PaneNotReady: As for `Pane.wait_for_prompt`.
        """
        __tracebackhide__ = True
        with self._expected("to be at its prompt", timeout):
            self._pane.wait_for_prompt(timeout)

    def to_have_exited(
        self, code: int | None = None, timeout: float | None = None
    ) -> ExitStatus:
        """Its first process has ended: with that exit status, or anyhow.

        Args:
            code: 0 to 255; None for any end, that by a signal too.
            timeout: Seconds; None for the pane's default.

        Raises:
            TmuxLifeError: As for `Pane.wait_for_exit`.
        """
        __tracebackhide__ = True
        if code is not None:
            arguments.exit_status("code", code)
        expected = "to have exited"
        if code is not None:
            expected += f" with {code}"
        with self._expected(expected, timeout):
            status = self._pane.wait_for_exit(timeout)
        if code is not None and status.code != code:
            screen = self._screen()
            shown = f"\n{screen.describe()}" if screen is not None else ""
            why = f"it ended with {status}{shown}"
            raise self._failed(expected, timeout, why, screen)
        return status

    def to_match_snapshot(self, name: str = "", timeout: float | None = None) -> None:
        """Its screen is the one that is stored for this test.

        With ``--tmux-snapshot-update`` the screen is stored instead, once nothing was
        printed for half a second.

        Args:
            name: Of the snapshot; "" for the next one of the test.
            timeout: Seconds; None for the pane's default.

        Raises:
            TmuxLifeError: No test is running, or it has had a snapshot of that name.
        """
        __tracebackhide__ = True
        # Above the terminal, but for this it is not needed.
        from pytest_tmuxlife.artifacts import snapshots

        arguments.text("name", name)
        if snapshots.of_test is None:
            raise TmuxLifeError("to_match_snapshot is for a test, and none is running")
        of_test = snapshots.of_test()
        store = of_test.take(name)
        expected = f"to match snapshot {store.shown_path}"
        pane, is_updating = self._pane, of_test.is_updating

        def is_same() -> bool | None:
            return store.is_same(pane.screen().text) or None

        with self._expected(expected, timeout):
            if is_updating:
                # What a pane shows that is kept after its program's end is stored too.
                with contextlib.suppress(PaneDied):
                    pane.wait_until_idle()
                store.store(pane.screen().text)
                return
            try:
                pane.wait_until(is_same, timeout, f"screen as in {store.shown_path}")
            except (WaitTimeout, PaneDied) as error:
                screen = (
                    error.screen if isinstance(error, WaitTimeout) else self._screen()
                )
                if screen is None:
                    raise
                why = mismatch(store, screen.text)
                raise self._failed(expected, timeout, why, screen) from None

    @contextlib.contextmanager
    def _expected(self, expected: str, timeout: float | None) -> Iterator[None]:
        __tracebackhide__ = True
        self._pane.timeout(timeout)
        try:
            yield
        except WaitTimeout as error:
            raise self._failed(expected, timeout, str(error), error.screen) from None
        except PaneDied as error:
            # One that remains after its program's end still shows something.
            screen = self._screen()
            raise self._failed(expected, timeout, str(error), screen) from None
        except ServerNotRunning as error:
            raise self._failed(expected, timeout, str(error), None) from None

    def _screen(self) -> Screen | None:
        try:
            return self._pane.screen()
        except (PaneDied, ServerNotRunning):
            return None

    def _failed(
        self, expected: str, timeout: float | None, why: str, screen: Screen | None
    ) -> ExpectationFailed:
        pane = self._pane
        return ExpectationFailed(
            f"expected pane {pane.id} {expected}: {why}",
            pane=pane.id,
            expected=expected,
            timeout=pane.timeout(timeout),
            screen=screen,
        )


def mismatch(store: Snapshot, text: str) -> str:
    """What differs, and what to do if that is right."""
    difference = store.difference(text) or "they are the same now"
    return (
        f"{difference}\n  if what is shown is right, store it with "
        "--tmux-snapshot-update"
    )


def expect(pane: Pane) -> Expectation:
    """Begin an assertion on *pane* that is tried again until it holds.

    Raises:
        TmuxLifeError: It is no pane.
    """
    if not isinstance(pane, Pane):
        raise TmuxLifeError(f"expect takes a Pane, not {pane!r}")
    return Expectation(pane)
