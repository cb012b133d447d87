"""Under --tmux-leak-check a supervisor adopts what the tests leave behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from inner import Inner
from runs import PytestProcess

FLAG = "--tmux-leak-check"
HELD = "tmuxlife: run supervisor [0-9]* adopts orphans"
NOT_HELD = "tmuxlife: no run supervisor, orphans are not seen: "

# Fixtures for tests of inner runs.
SUPERVISED = """
import os, signal, subprocess, sys

import pytest

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.hooks.outermost import run_supervisor


@pytest.fixture
def supervisor(request):
    return run_supervisor(request.config)


def start_orphan(command, *, clean=True):
    # The subshell is gone once this returns; what it started is an orphan.
    command = f"{command} >/dev/null 2>&1 & echo $!"
    clean = ["env", "-i", "PATH=" + os.environ["PATH"]] if clean else []
    done = subprocess.run([*clean, "sh", "-c", command], stdout=subprocess.PIPE)
    return int(done.stdout)
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


# -- what it holds ------------------------------------------------------------------


def test_pytest_runs_below_a_supervisor(inner: Inner) -> None:
    """The header names it; what pytest starts bears the run's mark."""
    result = inner.run(
        SUPERVISED
        + """
def test_it(supervisor):
    assert supervisor.pid == os.getppid()
    assert supervisor.pytest_pid == os.getpid()
    assert os.getsid(supervisor.pid) == supervisor.pid
    child = subprocess.run(["sh", "-c", "echo $TMUXLIFE_MARK"], capture_output=True)
    assert child.stdout.decode().strip() == supervisor.mark == supervisor.run + "-run"
""",
        FLAG,
    )
    result.stdout.fnmatch_lines([HELD])
    result.assert_outcomes(passed=1)


def test_without_the_option_nothing_is_split(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The suite itself may run under the option.
    monkeypatch.delenv("TMUXLIFE_MARK", raising=False)
    source = """
import os, sys

def test_it():
    assert "TMUXLIFE_MARK" not in os.environ
    assert "pytest_tmuxlife.containment.split" not in sys.modules
"""
    for arguments in ([], [f"{FLAG}=off"]):
        result = inner.run(source, *arguments)
        result.assert_outcomes(passed=1)
        result.stdout.no_fnmatch_line("*run supervisor*")


def test_orphan_that_shed_everything_is_seen_and_ended(inner: Inner) -> None:
    """Its environment, Unix session, terminal and parent are others."""
    result = inner.run(
        SUPERVISED
        + """
def test_it(supervisor):
    assert supervisor.orphans() == []
    orphan = start_orphan("exec setsid sleep 1000")
    assert supervisor.orphans() == [orphan]
    assert supervisor.end([orphan], term_grace=5, limit=5) == []
    assert supervisor.orphans() == []
    with pytest.raises(ProcessLookupError):
        os.kill(orphan, 0)
""",
        FLAG,
    )
    result.assert_outcomes(passed=1)


def test_ending_an_orphan_spares_the_others(inner: Inner) -> None:
    """What it has below it goes too, also what ignores TERM."""
    result = inner.run(
        SUPERVISED
        + """
def test_it(supervisor):
    spared = start_orphan("sleep 1000")
    tree = start_orphan("sh -c \\"trap '' TERM; sleep 1000; sleep 1001\\"")
    below = []
    while not below:
        below = procfs.children(tree)
    assert supervisor.orphans() == [spared, tree]
    assert supervisor.end([tree], term_grace=0.1, limit=5) == []
    assert supervisor.orphans() == [spared]
    assert procfs.stat(below[0]) is None
    assert supervisor.end([spared], term_grace=5, limit=5) == []
""",
        FLAG,
    )
    result.assert_outcomes(passed=1)


def test_own_helpers_are_no_orphans(inner: Inner) -> None:
    result = inner.run(
        SUPERVISED
        + """
def test_it(supervisor, tmux_pane):
    assert len(procfs.children(supervisor.pid)) == 2
    assert supervisor.orphans() == []
""",
        FLAG,
    )
    result.assert_outcomes(passed=1)


def test_what_pytest_starts_at_its_very_end_is_ended_with_it(tmp_path: Path) -> None:
    """After the last look of the check: nobody else could end it."""
    source = (
        "import atexit, subprocess\n"
        "LATE = ['setsid', '-f', 'sleep', '1000']\n"
        "def test_it(): atexit.register(subprocess.run, LATE)\n"
    )
    with PytestProcess(tmp_path, source, FLAG) as run:
        assert run.wait() == 0
        run.assert_nothing_left()


# -- what its parent sees -----------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("def test_it(): pass", 0),
        ("def test_it(): assert False", 1),
        ("def test_it(): raise KeyboardInterrupt", 2),
        ("import pytest\ndef test_it(): pytest.exit('so', returncode=77)", 77),
        ("import os\ndef test_it(): os._exit(9)", 9),
        ("", 5),
    ],
)
def test_exit_status_is_that_of_pytest(inner: Inner, source: str, status: int) -> None:
    assert inner.run(source, FLAG).ret == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1])
def test_signal_that_ends_pytest_ends_the_outer_process(
    tmp_path: Path, number: int
) -> None:
    """It is passed on, and the parent sees the same signal as cause of death."""
    source = "import signal\ndef test_it(ready):\n    ready()\n    signal.pause()\n"
    with PytestProcess(tmp_path, source, FLAG) as run:
        run.wait_ready()
        run.signal(number)
        assert run.wait() == -number
        run.assert_nothing_left()


# -- where it cannot be ---------------------------------------------------------------


def test_no_fork_beside_a_thread(inner: Inner) -> None:
    """A thread that was started by a plugin would be lost: the header says so."""
    inner.pytester.makepyfile(
        has_thread="""
        import threading

        threading.Thread(target=threading.Event().wait, daemon=True).start()
        """
    )
    result = inner.run(
        "def test_it(): pass", FLAG, "-p", "has_thread", "-p", "no:faulthandler"
    )
    result.stdout.fnmatch_lines([NOT_HELD + "2 threads run already, *"])
    result.assert_outcomes(passed=1)


def test_no_fork_beside_a_child(inner: Inner) -> None:
    """After a fork it would be a sibling, which cannot be waited for."""
    inner.pytester.makepyfile(
        has_child="""
        import subprocess

        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)

        def pytest_unconfigure():
            child.communicate()
            print("STATUS", child.returncode)
        """
    )
    result = inner.run("def test_it(): pass", FLAG, "-p", "has_child")
    result.stdout.fnmatch_lines([NOT_HELD + "process [0-9]* runs already, *"])
    result.stdout.fnmatch_lines(["*STATUS 0"])
    result.assert_outcomes(passed=1)


def test_orphan_on_its_way_out_costs_no_collection_of_garbage(inner: Inner) -> None:
    """It takes 50 ms and more, and no object of pytest holds an orphan."""
    inner.add_to_conftest(
        """
        import gc

        collections = []
        # Only those that somebody asks for.
        gc.disable()
        gc.callbacks.append(lambda *_: collections.append(_))

        @pytest.fixture(scope="session")
        def collected():
            return collections
        """
    )
    result = inner.run(
        """
        import subprocess

        def test_orphan(collected):
            subprocess.run(["setsid", "-f", "sleep", "0.5"], check=True)
            collected.clear()

        def test_next(collected):
            assert collected == []
        """,
        FLAG,
        "-o",
        "tmux_leak_grace=30",
    )
    result.assert_outcomes(passed=2)
