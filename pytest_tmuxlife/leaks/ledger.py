"""Who answers for what this process holds: a test, a fixture, or the run.

Knows no pytest: the hooks say when a test or a fixture begins and ends.
"""

from __future__ import annotations

import gc
import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pytest_tmuxlife.clock import Deadline, backoff
from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.leaks.attribution import (
    Claim,
    find_openings,
    holder_of,
    is_of_thread,
)
from pytest_tmuxlife.leaks.baseline import Look, Thing, View, appeared
from pytest_tmuxlife.leaks.descriptors import STANDARD
from pytest_tmuxlife.leaks.exemptions import exemption_for
from pytest_tmuxlife.leaks.holdings import Held
from pytest_tmuxlife.leaks.openings import Openings
from pytest_tmuxlife.leaks.reach import Reach, reach


@dataclass(slots=True, eq=False)
class Span:
    """A stretch of time in which something appears for somebody.

    Attributes:
        before: What there was when it began.
        threads: Those that ran then.
        claimed: What has appeared for somebody else.
        is_glanced: Nothing had come or gone by number since ``before``; what may
            have taken the place of something else was not looked for.
    """

    before: Look
    threads: set[threading.Thread]
    claimed: set[Thing] = field(default_factory=set)
    is_glanced: bool = False


class Ledger:
    """What appeared when, and who answers for it.

    Args:
        openings: Listens already.
        grace: Seconds in which what is on its way out may go.
        view: What is looked at.
    """

    def __init__(self, openings: Openings, grace: float, view: View) -> None:
        self.openings = openings
        self._view = view
        self._grace = grace
        self._last = view.look()
        self._settled: set[Thing] = set()
        self._living: list[Claim] = []
        self._ended: list[Claim] = []
        self._spans: list[Span] = []
        self._of_run: dict[Thing, Held] = {}
        self._deferred: list[Held] = []
        self._body: Span | None = None
        # Openings until the last look.
        self._heard = -1

    # -- a test ---------------------------------------------------------------

    def begin_test(self) -> None:
        """What is there now is none of the test that begins."""
        is_glanced = self.openings.heard == self._heard and self._view.is_as_in(
            self._last
        )
        if not is_glanced:
            now = self._view.look()
            for held in self._not_exempted(self._appeared(self._last, now)):
                self._put_to_run(held)
            self._last = now
        self.openings.forget()
        threads = set(threading.enumerate())
        self._spans = [Span(self._last, threads, is_glanced=is_glanced)]
        self._body = None

    def end_test(self, kept: Callable[[], Iterable[object]] = tuple) -> list[Held]:
        """What the test has left; empty for a clean one.

        Args:
            kept: Objects that the runner itself still holds: what is closed
                when it lets go of them is no leak.
        """
        if not self._spans:
            self.skip_test()
            return []
        span = self._spans[0]
        self._spans = []
        self._body = None
        self._look_again()
        news = self._news(span, self._last)
        if not news:
            return []
        accused, self._deferred, self._last = self._judge_in_time(
            span, news, self._grace, kept
        )
        # More may have been opened meanwhile.
        self._heard = -1
        self._settled.update(held.thing for held in accused)
        return accused

    def _judge_in_time(
        self,
        span: Span,
        news: Iterable[Thing],
        grace: float,
        kept: Callable[[], Iterable[object]],
    ) -> tuple[list[Held], list[Held], Look]:
        """Who is accused once the grace is over, who is deferred, and the last look."""
        # Objects of this process hold none of the others, which are often merely on
        # their way out: a tmux server after kill-server.
        if any(thing.sort not in ("orphan", "tmux server") for thing in news):
            gc.collect()
        deadline = Deadline(grace)
        for pause in backoff(0.002, 0.1):
            now = self._view.look()
            accused, deferred = self._judge(span, now, kept)
            if not _may_go(held.thing for held in accused) or deadline.expired:
                return accused, deferred, now
            select.select([], [], [], min(pause, deadline.remaining))
        raise AssertionError("backoff never ends")

    def ask_again(self, kept: Iterable[object]) -> list[Held]:
        """What the runner has let go of since `end_test`, and is still there.

        Args:
            kept: Objects that it goes on holding.
        """
        deferred, self._deferred = self._deferred, []
        if not deferred:
            return []
        gc.collect()
        there = set(self._view.still_there(held.thing for held in deferred))
        numbers = reach(kept).descriptors if there else set()
        left = []
        for held in deferred:
            if held.thing.number in numbers:
                self._deferred.append(held)
            elif held.thing in there:
                self._settled.add(held.thing)
                left.append(held)
        return left

    def skip_test(self) -> None:
        """A test has ended that nobody asks for what it has left."""
        self._spans = []
        self._body = None
        self._look_again()

    def _look_again(self) -> None:
        self._heard = self.openings.heard
        self._last = self._view.look()

    def _news(self, span: Span, now: Look) -> list[Thing]:
        claimed = span.claimed
        things = self._appeared(span.before, now)
        return [thing for thing in things if thing not in claimed]

    def _appeared(self, before: Look, now: Look) -> list[Thing]:
        # Another thread may be opening one.
        return appeared(before, now, list(self.openings.segments))

    def _judge(
        self, span: Span, now: Look, kept: Callable[[], Iterable[object]]
    ) -> tuple[list[Held], list[Held]]:
        accused: list[Held] = []
        deferred: list[Held] = []
        reaches: list[tuple[Claim, Reach]] | None = None
        by_runner: Reach | None = None
        for thing in self._news(span, now):
            held = find_openings(thing, self.openings)
            if exemption_for(thing, held.openings) is not None:
                self._settled.add(thing)
                continue
            if reaches is None or by_runner is None:
                reaches = [(claim, claim.reach()) for claim in self._living]
                by_runner = reach(kept())
            claim = holder_of(held, reaches)
            if claim is not None:
                claim.held[thing] = held
            elif is_of_thread(held, span.threads) or _may_be_older(held, span, now):
                self._put_to_run(held)
            elif thing.sort == "descriptor" and thing.number in by_runner.descriptors:
                deferred.append(held)
            else:
                accused.append(held)
        return accused, deferred

    def _put_to_run(self, held: Held) -> None:
        if held.thing not in self._settled:
            self._of_run[held.thing] = held

    def _not_exempted(self, things: Iterable[Thing]) -> list[Held]:
        """With what may have opened each; of an exempted one nobody is asked."""
        found = []
        for thing in things:
            held = find_openings(thing, self.openings)
            if exemption_for(thing, held.openings) is None:
                found.append(held)
            else:
                self._settled.add(thing)
        return found

    # -- in the middle of a test ------------------------------------------------

    @property
    def has_body(self) -> bool:
        """`begin_body` was called in this test."""
        return self._body is not None

    def begin_body(self) -> None:
        """What is there now is left out by `look_in_body`; outside a test, nothing."""
        if self._spans:
            self._body = Span(self._view.look(), self._spans[0].threads)

    def look_in_body(self, grace: float) -> list[Held]:
        """What has appeared since `begin_body` and is there; nobody is accused.

        Args:
            grace: Seconds in which what is on its way out may go.
        """
        body = self._body
        news = self._news(body, self._view.look()) if body is not None else []
        if body is None or not news:
            return []
        found, _, _ = self._judge_in_time(body, news, grace, tuple)
        return found

    @contextmanager
    def leaving_out(self) -> Iterator[None]:
        """What appears meanwhile is left out by `look_in_body` too."""
        before = self._view.look()
        try:
            yield
        finally:
            if self._body is not None:
                self._body.claimed.update(self._appeared(before, self._view.look()))

    # -- a fixture of wider scope -------------------------------------------------

    def begin_fixture(self) -> None:
        """From now on, what appears belongs to a fixture; they nest."""
        self._spans.append(Span(self._view.look(), set(threading.enumerate())))

    def end_fixture(self, claim: Claim) -> None:
        """What has appeared since the matching begin is the claim's.

        For the set-up of a fixture, and for its teardown.
        """
        span = self._spans.pop()
        news = self._news(span, self._view.look())
        span.claimed.update(news)
        claim.held.update({held.thing: held for held in self._not_exempted(news)})
        claim.threads |= set(threading.enumerate()) - span.threads
        for outer in [*self._spans, *([self._body] if self._body else [])]:
            outer.claimed |= span.claimed
        if claim not in self._living:
            self._living.append(claim)

    def begin_teardown(self, claim: Claim) -> None:
        """Its objects are about to go: what they opened during the test is its own.

        From now on, what appears is too, until `end_fixture`.
        """
        self.begin_fixture()
        if len(self._spans) < 2:
            return
        test, now = self._spans[0], self._spans[-1].before
        news = self._news(test, now)
        found = [(claim, claim.reach())] if news else []
        for thing in news:
            held = find_openings(thing, self.openings)
            if holder_of(held, found) is not None:
                claim.held[thing] = held
                test.claimed.add(thing)

    def finish_fixture(self, claim: Claim) -> None:
        """Its teardown is over; it is asked in `end_scope`."""
        if claim in self._living:
            self._living.remove(claim)
            self._ended.append(claim)

    def sockets_of_fixtures(self) -> set[str]:
        """Where tmux servers listen that fixtures of wider scope have started."""
        held = (thing for claim in self._living for thing in claim.held)
        return {thing.path for thing in held if thing.sort == "tmux server"}

    def end_scope(self) -> list[tuple[Claim, list[Held]]]:
        """What fixtures have left that have ended since the last call.

        Not before all that ends together has ended: one fixture may close
        what was opened for another one.
        """
        ended, self._ended = self._ended, []
        ended = [claim for claim in ended if self._view.still_there(claim.held)]
        if not ended:
            return []
        gc.collect()
        left = []
        for claim in ended:
            reaches = [(other, other.reach()) for other in self._living]
            accused = []
            for thing in self._outlasting(claim.held):
                held = claim.held[thing]
                heir = holder_of(held, reaches)
                if heir is not None:
                    heir.held[thing] = held
                else:
                    accused.append(held)
                    self._settled.add(thing)
            if accused:
                left.append((claim, accused))
        return left

    # -- the run ------------------------------------------------------------------

    def end_run(self) -> list[Held]:
        """What has appeared during the run and belongs to nobody."""
        for held in self._not_exempted(self._appeared(self._last, self._view.look())):
            self._put_to_run(held)
        gc.collect()
        accused = [thing for thing in self._of_run if thing not in self._settled]
        return [self._of_run[thing] for thing in self._outlasting(accused)]

    def _outlasting(self, things: Iterable[Thing]) -> list[Thing]:
        """Those that are there after the grace, which only they are given."""
        deadline = Deadline(self._grace)
        for pause in backoff(0.002, 0.1):
            things = self._view.still_there(things)
            if not _may_go(things) or deadline.expired:
                return things
            select.select([], [], [], min(pause, deadline.remaining))
        raise AssertionError("backoff never ends")


def _may_be_older(held: Held, span: Span, now: Look) -> bool:
    """It may have taken another's place before the test began, unheard."""
    if not span.is_glanced or held.openings or held.thing.sort != "descriptor":
        return False
    return any(
        now.files.get(number) != file
        for number, file in span.before.files.items()
        if number not in STANDARD
    )


def _may_go(things: Iterable[Thing]) -> bool:
    """A process is ending, or another thread may close or wait for something."""
    found = list(things)
    if not found or threading.active_count() > 1:
        return bool(found)
    return any(
        thing.sort in ("orphan", "tmux server")
        or (thing.sort == "process" and not _stays_a_zombie(thing.number))
        for thing in found
    )


def _stays_a_zombie(pid: int) -> bool:
    """A child has exited, and there is no other thread that could wait for it."""
    child, this = procfs.stat(pid), procfs.stat(os.getpid())
    return (
        child is not None and child.is_zombie and this is not None and this.threads == 1
    )
