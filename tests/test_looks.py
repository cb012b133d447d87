"""Looking again and again costs little, and misses nothing that has changed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import eventually

from pytest_tmuxlife.containment import own
from pytest_tmuxlife.containment.kept import KeptFile
from pytest_tmuxlife.leaks.baseline import Look, Thing, View, appeared
from pytest_tmuxlife.leaks.descriptors import Descriptors
from pytest_tmuxlife.leaks.holdings import Held
from pytest_tmuxlife.leaks.ledger import Ledger
from pytest_tmuxlife.leaks.openings import Openings

CHILDREN = f"/proc/{os.getpid()}/task/{os.getpid()}/children"


@pytest.fixture
def descriptor() -> Iterator[int]:
    """A number that is open; the test may have closed it."""
    number = os.open("/dev/null", os.O_RDONLY)
    yield number
    os.closerange(number, number + 1)


@pytest.fixture
def kept() -> Iterator[KeptFile]:
    file = KeptFile(CHILDREN)
    yield file
    file.close()


# -- descriptors ---------------------------------------------------------------


def test_nothing_new_is_the_same_answer() -> None:
    """In a process of its own: a thread of some plugin waits in accept."""
    program = (
        "from pytest_tmuxlife.leaks.descriptors import Descriptors\n"
        "descriptors = Descriptors()\n"
        "assert descriptors.look() is descriptors.look()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_connection_that_a_thread_has_waited_for_shows() -> None:
    """Its number was taken before it came, so there are not more numbers."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        numbers = os.stat("/proc/self/fd").st_size
        thread = threading.Thread(target=lambda: accepted.append(server.accept()[0]))
        thread.start()
        eventually(lambda: os.stat("/proc/self/fd").st_size > numbers, 60)
        descriptors = Descriptors()
        before = descriptors.look()
        with socket.create_connection(server.getsockname()) as client:
            thread.join(60)
            with accepted[0] as connection:
                found = descriptors.look().keys() - before.keys()
                assert found == {client.fileno(), connection.fileno()}


def test_another_descriptor_shows(descriptor: int) -> None:
    descriptors = Descriptors()
    before = descriptors.look()
    another = os.dup(descriptor)
    try:
        assert descriptors.look().keys() - before.keys() == {another}
    finally:
        os.close(another)
    assert descriptors.look() == before


def test_another_file_under_the_same_number_shows(
    descriptor: int, tmp_path: Path
) -> None:
    descriptors = Descriptors()
    before = descriptors.look()
    file = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    os.dup2(file, descriptor)
    os.close(file)
    assert descriptors.look()[descriptor] != before[descriptor]


def test_one_closed_and_one_opened_both_show(descriptor: int) -> None:
    """As many as before, but not the same ones."""
    descriptors = Descriptors()
    before = descriptors.look()
    another = os.dup(descriptor)
    os.close(descriptor)
    try:
        after = descriptors.look()
    finally:
        os.close(another)
    assert after.keys() ^ before.keys() == {descriptor, another}


def test_kernel_that_does_not_count_is_listed(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.2 the directory's size was 0."""
    monkeypatch.setattr("pytest_tmuxlife.leaks.descriptors._LISTING", "/dev/fd/.")
    stat = os.stat
    zero = os.stat_result((0,) * 10)
    monkeypatch.setattr(
        os, "stat", lambda path, **k: zero if path == "/dev/fd/." else stat(path, **k)
    )
    descriptors = Descriptors()
    assert descriptor in descriptors.look()
    os.close(descriptor)
    assert descriptor not in descriptors.look()


# -- files of /proc ------------------------------------------------------------


def test_content_is_that_of_now(kept: KeptFile) -> None:
    before = kept.read()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert str(child.pid).encode() in (kept.read() or b"").split()
    assert kept.read() == before


def test_descriptor_that_the_tested_code_closed_is_opened_anew(kept: KeptFile) -> None:
    before = kept.read()
    number = kept._descriptor
    assert number is not None
    os.close(number)
    assert kept.read() == before


def test_file_of_the_tested_code_is_not_taken_for_it(
    kept: KeptFile, tmp_path: Path
) -> None:
    """It closed ours, and has opened its own under that number."""
    before = kept.read()
    number = kept._descriptor
    assert number is not None
    (tmp_path / "pids").write_text("1 2 3 ")
    theirs = os.open(tmp_path / "pids", os.O_RDONLY)
    os.dup2(theirs, number)
    os.close(theirs)
    try:
        assert kept.read() == before
        found = os.fstat(number)
        assert not own.is_own(number, found.st_dev, found.st_ino)
    finally:
        os.close(number)


def test_closing_leaves_a_file_of_the_tested_code_open(
    kept: KeptFile, descriptor: int
) -> None:
    kept.read()
    number = kept._descriptor
    assert number is not None
    os.dup2(descriptor, number)
    kept.close()
    # Raises if it is closed.
    os.close(number)


def test_what_cannot_be_read_is_none() -> None:
    assert KeptFile("/proc/0/children").read() is None


# -- children, shared memory ---------------------------------------------------


def test_child_that_nobody_has_waited_for_is_there() -> None:
    """In a process of its own: this one may have children."""
    program = """if True:
        import os, subprocess
        from pytest_tmuxlife.containment import kernel
        assert not kernel.has_children()
        child = subprocess.Popen(["true"])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert kernel.has_children()
        assert kernel.has_children(), "somebody has reaped it"
        assert child.wait() == 0
        assert not kernel.has_children()
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_no_file_of_shared_memory_is_missed() -> None:
    """They come faster than the clock of the file system ticks."""
    view = View()
    for number in range(300):
        path = f"/dev/shm/tmuxlife-test-{os.getpid()}-{number}"
        before = view.look()
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            found = appeared(before, view.look(), [path])
        finally:
            os.unlink(path)
        assert [(thing.sort, thing.path) for thing in found] == [
            ("shared memory", path)
        ]
        assert not view.still_there(found)


def test_file_of_shared_memory_that_was_there_is_not_new() -> None:
    view = View()
    path = f"/dev/shm/tmuxlife-test-{os.getpid()}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        before = view.look()
        assert appeared(before, view.look(), [path]) == []
        inode = os.stat(path).st_ino
        thing = Thing("shared memory", 0, (inode,), path)
        assert view.still_there([thing]) == [thing]
    finally:
        os.unlink(path)


# -- between two tests -----------------------------------------------------------


class CountedView(View):
    looks = 0

    def look(self) -> Look:
        self.looks += 1
        return super().look()


@pytest.fixture
def view() -> Iterator[CountedView]:
    view = CountedView()
    yield view
    view.close()


@pytest.fixture
def ledger(view: CountedView) -> Iterator[Ledger]:
    """One clean test has ended."""
    openings = Openings()
    openings.begin()
    ledger = Ledger(openings, 0.0, view)
    ledger.begin_test()
    assert ledger.end_test() == []
    yield ledger
    openings.end()


@pytest.fixture
def pipes() -> Iterator[list[int]]:
    """Closed at the end; nobody hears of a pipe that is made."""
    numbers: list[int] = []
    yield numbers
    for number in numbers:
        os.close(number)


def numbers_of(found: list[Held]) -> set[int]:
    return {held.thing.number for held in found}


def test_begin_of_a_test_is_a_glance_if_nothing_was_opened(
    ledger: Ledger, view: CountedView
) -> None:
    before = view.looks
    ledger.begin_test()
    assert view.looks == before


def test_what_a_test_leaves_after_a_glance_is_its_own(
    ledger: Ledger, pipes: list[int]
) -> None:
    ledger.begin_test()
    pipes += os.pipe()
    assert numbers_of(ledger.end_test()) == set(pipes)


def test_what_came_between_two_tests_is_the_runs(
    ledger: Ledger, pipes: list[int]
) -> None:
    pipes += os.pipe()
    ledger.begin_test()
    assert ledger.end_test() == []
    assert numbers_of(ledger.end_run()) == set(pipes)


def test_file_opened_between_two_tests_in_place_of_another_is_the_runs(
    ledger: Ledger, descriptor: int, tmp_path: Path
) -> None:
    """There are as many as before, but its opening was heard."""
    # Its look has the descriptor of the fixture too.
    ledger.begin_test()
    assert ledger.end_test() == []
    file = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    os.dup2(file, descriptor)
    os.close(file)
    ledger.begin_test()
    assert ledger.end_test() == []
    assert numbers_of(ledger.end_run()) == {descriptor}


def test_what_took_anothers_place_between_two_tests_accuses_no_test(
    ledger: Ledger, pipes: list[int]
) -> None:
    """Nobody has heard of it, and there are as many as before."""
    pipes += os.pipe()
    ledger.begin_test()
    assert ledger.end_test() == []
    # Both ends of a pipe are one file.
    other = os.eventfd(0)
    os.dup2(other, pipes[1])
    os.close(other)
    ledger.begin_test()
    assert ledger.end_test() == []
    assert numbers_of(ledger.end_run()) == set(pipes)
