"""A run supervisor beside what else starts pytest, or is started by it."""

from __future__ import annotations

import sys

import pytest
from inner import RUN_LIMIT, Inner
from test_run_supervisor import FLAG, HELD, NOT_HELD, SUPERVISED

PYTEST = "-p no:cacheprovider --tmux-leak-check"


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


# -- the tested code sees its own children only --------------------------------------


def test_no_exit_status_is_stolen(inner: Inner) -> None:
    """Many children exit while many orphans are adopted and reaped."""
    result = inner.run(
        SUPERVISED
        + """
def test_it(supervisor):
    orphans = "for n in 1 2 3; do (setsid true &); done; exit {}"
    children = [
        subprocess.Popen(["sh", "-c", orphans.format(n % 7)]) for n in range(100)
    ]
    assert [child.wait() for child in children] == [n % 7 for n in range(100)]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
""",
        FLAG,
    )
    result.assert_outcomes(passed=1)


def test_daemon_that_exits_is_gone_at_once(inner: Inner) -> None:
    """No zombie of it stays that tested code would take for a living process."""
    result = inner.run(
        SUPERVISED
        + """
import select

def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

def test_it(supervisor):
    for _ in range(20):
        daemon = start_orphan("exec setsid sleep 1000")
        pidfd = os.pidfd_open(daemon)
        os.kill(daemon, signal.SIGTERM)
        assert select.select([pidfd], [], [], 60)[0]
        os.close(pidfd)
        # As a zombie it would be there for ever.
        for _ in range(3000):
            if not is_there(daemon):
                break
            select.select([], [], [], 0.02)
        assert not is_there(daemon)
        assert supervisor.orphans() == []
""",
        FLAG,
    )
    result.assert_outcomes(passed=1)


# -- pytest in pytest -----------------------------------------------------------------

IN_PROCESS = """
import os

pytest_plugins = ["pytester"]

def test_it(pytester):
    pid = os.getpid()
    pytester.makepyfile(f"import os\\ndef test_low(): assert os.getpid() == {pid}")
    result = pytester.runpytest_inprocess("--tmux-leak-check")
    assert os.getpid() == pid
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["tmuxlife: no run supervisor*: pytest runs inside *"])
"""


@pytest.mark.parametrize("arguments", [[], [FLAG]])
def test_run_inside_a_test_is_not_split(inner: Inner, arguments: list[str]) -> None:
    """It would take the rest of the outer run with it."""
    inner.run(IN_PROCESS, *arguments).assert_outcomes(passed=1)


def test_pytest_started_by_a_test_has_a_supervisor_of_its_own(inner: Inner) -> None:
    """Its orphans do not come to the outer run; they are ended with it."""
    result = inner.run(
        SUPERVISED
        + f"""
INNER = '''
import os, subprocess
def test_low(): subprocess.run("setsid -f sleep 1000", shell=True)
'''

def test_it(supervisor, tmp_path):
    path = tmp_path / "test_low.py"
    path.write_text(INNER)
    command = [sys.executable, "-m", "pytest", *{PYTEST.split()!r}, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "LEAKED" in done.stdout, done.stdout
    header = "run supervisor "
    assert header in done.stdout
    assert f"{{header}}{{supervisor.pid}} " not in done.stdout
    assert supervisor.orphans() == []
""",
        FLAG,
    )
    result.assert_outcomes(passed=1)


SCRIPT = f"""
import os, sys
import pytest

before = os.getpid()
codes = [pytest.main({PYTEST.split()!r} + ["test_inner.py"]) for _ in range(2)]
assert os.getpid() != before
print("CODES", *map(int, codes), flush=True)
sys.exit(7)
"""


def test_script_that_calls_pytest_goes_on_after_it(pytester: pytest.Pytester) -> None:
    """Twice, under one supervisor; the script's own exit status counts."""
    pytester.makepyfile(test_inner="def test_it(): assert False", script=SCRIPT)
    done = pytester.run(sys.executable, "script.py", timeout=RUN_LIMIT)
    assert done.ret == 7
    done.stdout.fnmatch_lines([HELD, "CODES 1 1"])
    done.stdout.fnmatch_lines([NOT_HELD + "this process is under * already"])


# -- coverage -------------------------------------------------------------------------

MEASURED = """
def used():
    return 1

def unused():
    return 2
"""
USES = "import measured\n\ndef test_it(): assert measured.used() == 1"


@pytest.mark.parametrize("patch", ["", "_exit"])
def test_coverage_run_measures_the_tests_once(
    pytester: pytest.Pytester, patch: str
) -> None:
    """Its data are those of pytest; none of the other processes writes any."""
    pytester.makepyfile(measured=MEASURED, test_inner=USES)
    (pytester.path / ".coveragerc").write_text(f"[run]\npatch = {patch}\n")
    coverage = [sys.executable, "-m", "coverage"]
    run = [*coverage, "run", "--source=.", "-m", "pytest", *PYTEST.split()]
    done = pytester.run(*run, "test_inner.py", timeout=RUN_LIMIT)
    assert done.ret == 0
    done.stdout.fnmatch_lines([HELD])
    report = pytester.run(*coverage, "report", timeout=RUN_LIMIT)
    report.stdout.fnmatch_lines(["measured.py * 75%"])
    assert len(list(pytester.path.glob(".coverage*"))) == 2


def test_pytest_cov_measures_the_tests(inner: Inner) -> None:
    inner.pytester.makepyfile(measured=MEASURED)
    for more in ([], ["-n", "2"]):
        result = inner.run(USES, FLAG, "-p", "pytest_cov", "--cov=measured", *more)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["measured.py * 75%"])


# -- xdist ----------------------------------------------------------------------------

WORKERS = """
def test_it(supervisor, worker_id, tmp_path_factory):
    shared = tmp_path_factory.getbasetemp().parent
    assert supervisor.mark == f"{supervisor.run}-{worker_id}"
    orphan = start_orphan("exec setsid sleep 1000", clean=False)
    unmarked = start_orphan("exec setsid sleep 1000")
    (shared / worker_id).write_text(f"{supervisor.pid} {orphan} {unmarked}")
    other = shared / ("gw1" if worker_id == "gw0" else "gw0")
    # Both have left their own before either looks.
    while not other.exists() or not other.read_text():
        pass
    assert supervisor.orphans() == [orphan]
    assert other.read_text().split()[0] == str(supervisor.pid)
    done = shared / f"{worker_id}-done"
    done.write_text("")
    while not (shared / f"{other.name}-done").exists():
        pass
    assert supervisor.end([orphan], term_grace=5, limit=5) == []
"""
SEEN_BY_CONTROLLER = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    from pytest_tmuxlife.hooks.outermost import run_supervisor
    if not hasattr(session.config, "workerinput"):
        left = run_supervisor(session.config).orphans()
        print("\\nLEFT", len(left), flush=True)
"""


def test_workers_share_a_supervisor_and_see_their_own_orphans(inner: Inner) -> None:
    """Told apart by the mark; what shed it is left to the controller."""
    inner.add_to_conftest(SEEN_BY_CONTROLLER)
    result = inner.run(SUPERVISED + WORKERS, FLAG, "-n", "2", "--dist=each", "-s")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([HELD])
    result.stdout.fnmatch_lines(["LEFT 2"])
