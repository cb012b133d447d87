"""tmux servers, and orphans, of the tested code beside the fixtures."""

from __future__ import annotations

import pytest
from inner import Inner

# `start` runs tmux as the tested code would, and takes the server's pid down.
SOURCE = """
import os, subprocess
import pytest
from pytest_tmuxlife.containment import procfs

def start(*options, env=None):
    command = ["tmux", *options, "new-session", "-dP", "-F", "#{pid}", "sleep 1000"]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    note(int(done.stdout))

def note(pid):
    with open(os.path.dirname(__file__) + "/survivors", "a") as file:
        file.write(f"{pid} {procfs.start_ticks(pid)}\\n")
"""
FLAG = "--tmux-leak-check"


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


CASES = {
    "bare": ("def test_it(tmux_leaks): start()", ()),
    "beside_a_fixture": ("def test_it(tmux_server): start()", (FLAG,)),
    "by_name": (
        "def test_it(tmux_server, tmux_env): start('-L', 'other', env=tmux_env)",
        (),
    ),
    "by_name_under_the_check": (
        "def test_it(tmux_server, tmux_env): start('-L', 'other', env=tmux_env)",
        (FLAG,),
    ),
    "in_place_of_ours": (
        "def test_it(tmux_pane, tmux_server, tmux_env):\n"
        "    tmux_server.kill()\n"
        "    start(env=tmux_env)",
        (),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_server_of_the_tested_code_is_reported_and_ended(
    inner: Inner, case: str
) -> None:
    """With what runs in it, wherever its socket stands."""
    test, arguments = CASES[case]
    result = inner.run(f"{SOURCE}\n{test}\n\ndef test_after(): pass\n", *arguments)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_it",
            "1 tmux server *outlived the test",
            "tmux: server * started by the tested code, listens on /*/tmux-*",
        ]
    )
    inner.assert_all_gone(1)


def test_server_that_is_ended_is_not_reported(inner: Inner) -> None:
    """Its socket, which tmux leaves behind, is gone when the next test begins."""
    result = inner.run(
        SOURCE
        + """
PLACES = []

@pytest.mark.parametrize("time", range(2))
def test_it(time, tmux_leaks):
    assert [place for place in PLACES if os.path.exists(place)] == []
    PLACES.append(os.environ["TMUX_TMPDIR"])
    start()
    subprocess.run(["tmux", "kill-server"], check=True)
"""
    )
    result.assert_outcomes(passed=2)
    inner.assert_all_gone(2)


@pytest.mark.parametrize("arguments", [(), (FLAG,)])
def test_no_later_test_reaches_the_server_of_an_earlier_one(
    inner: Inner, arguments: tuple[str, ...]
) -> None:
    """It is kept, and ended with the run; nobody is accused of it meanwhile."""
    result = inner.run(
        SOURCE
        + """
PIDS = []

def reaches_one():
    return subprocess.run(["tmux", "has-session"], capture_output=True).returncode == 0

def test_keeps(tmux_leaks):
    tmux_leaks.ignore("^tmux|^sleep 1000$", reason="it serves others", keep=True)
    start()
    with open("survivors") as file:
        PIDS.append(int(file.read().split()[0]))
    assert reaches_one()

def test_another(tmux_leaks):
    assert not reaches_one()
    assert not procfs.stat(PIDS[0]).is_zombie
    start()
    assert reaches_one()
    subprocess.run(["tmux", "kill-server"], check=True)

def test_third(tmux_leaks):
    assert not reaches_one()
    assert not procfs.stat(PIDS[0]).is_zombie
""",
        *arguments,
    )
    result.assert_outcomes(passed=3)
    inner.assert_all_gone(2)


def test_directory_that_was_not_used_is_used_again(inner: Inner) -> None:
    """Nothing is made and removed for a test that starts no tmux server."""
    result = inner.run(
        SOURCE
        + """
PLACES = set()

@pytest.mark.parametrize("time", range(3))
def test_it(time, tmux_pane):
    tmux_pane.run("tmux list-sessions", check=True)
    PLACES.add(os.environ["TMUX_TMPDIR"])
    assert len(PLACES) == 1
""",
        FLAG,
    )
    result.assert_outcomes(passed=3)


def test_server_of_a_session_fixture_lives_as_long_as_that(inner: Inner) -> None:
    """No test is accused; it is reported if the fixture forgets it."""
    result = inner.run(
        SOURCE
        + """
@pytest.fixture(scope="session")
def kept():
    start()
    yield
    subprocess.run(["tmux", "kill-server"], check=True)

@pytest.fixture(scope="session")
def forgotten():
    start("-L", "forgotten")

def test_first(kept, forgotten): pass
def test_last(kept, forgotten):
    subprocess.run(["tmux", "has-session"], check=True)
""",
        FLAG,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["LEAKED fixture forgotten (session, *)"])
    result.stdout.no_fnmatch_line("LEAKED *::test_*")
    inner.assert_all_gone(2)


def test_server_of_the_user_is_out_of_reach_and_left_alone(
    inner: Inner,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The environment that a test sees is its own, and is restored."""
    home = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("TMUX_TMPDIR", str(home))
    monkeypatch.setenv("TMUX", "/nowhere,1,0")
    inner.add_to_conftest(
        f"""
        def pytest_sessionfinish():
            assert os.environ["TMUX_TMPDIR"] == {str(home)!r}
            assert os.environ["TMUX"] == "/nowhere,1,0"
        """
    )
    result = inner.run(
        """
        import os

        def test_it():
            assert "TMUX" not in os.environ
            assert os.path.isdir(os.environ["TMUX_TMPDIR"])
            assert "user" not in os.environ["TMUX_TMPDIR"]
        """,
        FLAG,
    )
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK


ORPHAN = """
def orphan():
    command = "setsid sleep 1000 >/dev/null 2>&1 & echo $!"
    note(int(subprocess.run(command, shell=True, stdout=subprocess.PIPE).stdout))
"""


def test_orphan_of_a_session_fixture_is_the_fixtures(inner: Inner) -> None:
    result = inner.run(
        SOURCE
        + ORPHAN
        + """
@pytest.fixture(scope="session")
def daemon():
    orphan()

def test_first(daemon): pass
def test_last(daemon): pass
""",
        FLAG,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["LEAKED fixture daemon (session, *)"])
    inner.assert_all_gone(1)


def test_popen_object_learns_how_its_child_was_ended(inner: Inner) -> None:
    result = inner.run(
        SOURCE
        + """
KEPT = []

def test_it():
    KEPT.append(subprocess.Popen(["sleep", "1000"]))
    note(KEPT[0].pid)

def test_status():
    assert KEPT[0].wait() == -15
""",
        FLAG,
    )
    result.assert_outcomes(passed=2, failed=1)
    assert [one for one in inner.survivors if one.is_alive] == []


def test_zombie_is_reported_and_stays_for_its_parent(inner: Inner) -> None:
    """Its exit status is still there to be asked for.

    It gets no grace: nobody could wait for it meanwhile, so the run is over
    long before its limit.
    """
    result = inner.run(
        """
        import os

        PIDS = []

        def test_forgets():
            pid = os.fork()
            if pid == 0:
                os._exit(7)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            PIDS.append(pid)

        def test_remembers():
            _, status = os.waitpid(PIDS[0], 0)
            assert os.waitstatus_to_exitcode(status) == 7
        """,
        FLAG,
        "--override-ini=tmux_leak_grace=600",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["LEAKED *::test_forgets", "1 zombie outlived the test"]
    )
