"""Deadlines and back-off, on a clock of the test's own."""

from itertools import islice

from pytest_tmuxlife.clock import Deadline, backoff


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_deadline_runs_out_when_its_time_has_passed() -> None:
    clock = Clock()
    deadline = Deadline(5, clock)
    clock.now += 4
    assert (deadline.remaining, deadline.elapsed, deadline.expired) == (1, 4, False)
    clock.now += 2
    assert (deadline.remaining, deadline.elapsed, deadline.expired) == (0, 6, True)


def test_negative_timeout_counts_as_none_left() -> None:
    assert Deadline(-1, Clock()).expired


def test_backoff_grows_to_its_limit_and_stays() -> None:
    assert list(islice(backoff(1, 5), 5)) == [1, 2, 4, 5, 5]
