"""What a test leaves open in the pytest process: each kind, and its clean twin."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest
from inner import Inner

CHECKED = ("-o", "tmux_leak_check=fail")
PREAMBLE = """
import asyncio, ctypes, logging, mmap, os, select, selectors, socket, sqlite3
import subprocess, tempfile, threading
from multiprocessing import shared_memory

KEPT = []

def keep(thing):
    KEPT.append(thing)
    return thing
"""


@dataclass(frozen=True)
class Kind:
    """One way to leave something open.

    Attributes:
        opens: Statements; the last value is bound to ``it``.
        closes: What undoes them.
        reported: The line of the report; ``*`` matches anything.
        leaks: How many things it leaves.
    """

    opens: str
    closes: str
    reported: str
    leaks: int = 1


# Where `OPENED` is, the place of the line that opens it is asserted.
OPENED = "still open  opened in test_inner.py:12 test_kind()"
MADE = "still open  made in test_inner.py:12 test_kind()"
UNKNOWN = "still open, place unknown"
KINDS = {
    "open": Kind(
        "it = keep(open(tmp_path / 'agent.log', 'w'))",
        "it.close()",
        f"descriptor *w */agent.log  {OPENED}",
    ),
    "os_open": Kind(
        "it = os.open(tmp_path, os.O_RDONLY)",
        "os.close(it)",
        f"descriptor *r directory */test_kind0  {OPENED}",
    ),
    "logging": Kind(
        "it = keep(logging.FileHandler(tmp_path / 'run.log'))",
        "it.close()",
        f"descriptor *w */run.log  {OPENED}",
    ),
    "sqlite": Kind(
        "it = keep(sqlite3.connect(tmp_path / 'base')); it.execute('vacuum')",
        "it.close()",
        f"descriptor *rw */base  {OPENED}",
    ),
    "temporary": Kind(
        "it = keep(tempfile.TemporaryFile(dir=tmp_path))",
        "it.close()",
        f"descriptor *rw */* (deleted)  {OPENED}",
    ),
    "deleted": Kind(
        "it = keep(open(tmp_path / 'gone', 'w')); os.unlink(tmp_path / 'gone')",
        "it.close()",
        f"descriptor *w */gone (deleted)  {OPENED}",
    ),
    "socket": Kind(
        "it = keep(socket.socket())", "it.close()", f"socket * IPv4 stream *{MADE}"
    ),
    "listener": Kind(
        "it = keep(socket.create_server(('127.0.0.1', 0)))",
        "it.close()",
        f"socket * listens on 127.0.0.1:*{MADE}",
    ),
    "socketpair": Kind(
        "it = keep(socket.socketpair())",
        "it[0].close(); it[1].close()",
        f"socket * UNIX stream socket*{MADE}",
        leaks=2,
    ),
    "pipe": Kind(
        "it = os.pipe()",
        "os.close(it[0]); os.close(it[1])",
        f"descriptor *w pipe (write end)*{UNKNOWN}",
        leaks=2,
    ),
    "dup": Kind(
        "it = os.dup(0)", "os.close(it)", f"descriptor * device /dev/null*{UNKNOWN}"
    ),
    "epoll": Kind(
        "it = keep(select.epoll())", "it.close()", f"descriptor *rw epoll*{UNKNOWN}"
    ),
    "selector": Kind(
        "it = keep(selectors.DefaultSelector())",
        "it.close()",
        f"descriptor *rw epoll*{UNKNOWN}",
    ),
    "event_loop": Kind(
        "it = keep(asyncio.new_event_loop())",
        "it.close()",
        f"socket * UNIX stream socket*{MADE}",
        leaks=3,
    ),
    "eventfd": Kind(
        "it = os.eventfd(0)", "os.close(it)", f"descriptor *rw eventfd*{UNKNOWN}"
    ),
    "memfd": Kind(
        "it = os.memfd_create('scratch')",
        "os.close(it)",
        f"descriptor *rw memfd scratch*{UNKNOWN}",
    ),
    "openpty": Kind(
        "it = os.openpty()",
        "os.close(it[0]); os.close(it[1])",
        f"descriptor *rw pseudoterminal /dev/pts/*{UNKNOWN}",
        leaks=2,
    ),
    "pidfd": Kind(
        "it = os.pidfd_open(os.getpid())",
        "os.close(it)",
        f"descriptor * pidfd of process *{UNKNOWN}",
    ),
    "inotify": Kind(
        "it = ctypes.CDLL(None).inotify_init1(0)",
        "os.close(it)",
        f"descriptor *r inotify*{UNKNOWN}",
    ),
    "shared_memory": Kind(
        "it = keep(shared_memory.SharedMemory(create=True, size=8)); it.close()",
        "it.unlink()",
        "shared memory /dev/shm/*not unlinked  made in test_inner.py:12 test_kind()",
    ),
}


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def source(kind: Kind) -> str:
    return f"{PREAMBLE}\ndef test_kind(tmp_path):\n    {kind.opens}\n"


@pytest.mark.parametrize("name", KINDS)
def test_what_is_left_open_is_reported(inner: Inner, name: str) -> None:
    """With what it is, and with the place, where an audit event tells it."""
    kind = KINDS[name]
    result = inner.run(source(kind), *CHECKED)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([kind.reported])
    result.stdout.fnmatch_lines([f"{kind.leaks} leak*in 1 test: *"])


def test_what_is_closed_is_not_reported(inner: Inner) -> None:
    """Every kind, each in a test of its own."""
    tests = []
    for name, kind in KINDS.items():
        body = textwrap.indent(f"{kind.opens}\n{kind.closes}", "    ")
        tests.append(f"def test_{name}(tmp_path):\n{body}\n")
    result = inner.run(PREAMBLE + "\n".join(tests), *CHECKED)
    result.assert_outcomes(passed=len(KINDS))


NO_LEAKS = {
    "collected": "cycle = [open('/dev/null')]; cycle.append(cycle)",
    "mapped": (
        "(tmp_path / 'f').write_text('x')\n"
        "with open(tmp_path / 'f') as file:\n"
        "    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "mapping.close()"
    ),
    "by_import": (
        "(tmp_path / 'lazy.py').write_text('LOG = open(\"/dev/null\")')\n"
        "import sys; sys.path.insert(0, str(tmp_path)); import lazy"
    ),
    "waited_for": "subprocess.run(['true'], check=True)",
    "thread_ends": (
        "def work():\n"
        "    with open('/dev/null'):\n"
        "        go.wait()\n"
        "go = threading.Event()\n"
        "keep(threading.Thread(target=work)).start()\n"
        "threading.Timer(0.1, go.set).start()"
    ),
    "resource_tracker": (
        "it = shared_memory.SharedMemory(create=True, size=8); it.close(); it.unlink()"
    ),
}


def test_what_goes_by_itself_is_no_leak(inner: Inner) -> None:
    """Collected, closed by a thread on its way out, or a module's own."""
    tests = [
        f"def test_{name}(tmp_path):\n{textwrap.indent(body, '    ')}\n"
        for name, body in NO_LEAKS.items()
    ]
    # However late the thread is on a busy machine.
    patient = ("-o", "tmux_leak_grace=60")
    result = inner.run(PREAMBLE + "\n".join(tests), *CHECKED, *patient)
    result.assert_outcomes(passed=len(tests))


def test_number_that_was_used_again_is_reported(inner: Inner) -> None:
    """The descriptor is another file, though its number was there before."""
    result = inner.run(
        """
        import os

        before = os.open("/dev/null", os.O_RDONLY)

        def test_swap(tmp_path):
            os.close(before)
            assert os.open(tmp_path, os.O_RDONLY) == before
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["descriptor *r directory *still open *"])


def test_failing_test_does_not_leak_what_its_traceback_holds(inner: Inner) -> None:
    """It is closed once pytest lets the traceback go."""
    result = inner.run(
        """
        def test_fails():
            file = open("/dev/null")
            assert file.closed

        def test_passes():
            pass
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*LEAKED*")


def test_like_file_opened_by_a_function_of_a_module_is_reported(inner: Inner) -> None:
    """What is exempt is the import itself, not the module."""
    (inner.pytester.path / "lazy.py").write_text(
        "def log():\n    global LOG\n    LOG = open('/dev/null')\n"
    )
    result = inner.run(
        """
        def test_it():
            import lazy
            lazy.log()
        """,
        *CHECKED,
    )
    result.stdout.fnmatch_lines(["descriptor *r device /dev/null *lazy.py:3 log()"])


def test_thread_that_opened_it_is_named(inner: Inner) -> None:
    result = inner.run(
        """
        import threading

        kept = []

        def work():
            kept.append(open("/dev/null"))

        def test_it():
            thread = threading.Thread(target=work, name="indexer")
            thread.start()
            thread.join()
        """,
        *CHECKED,
    )
    result.stdout.fnmatch_lines(
        ["descriptor *opened by thread indexer  opened in test_inner.py:6 work()"]
    )
