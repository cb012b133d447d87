"""``tmux_leaks.check`` in a running test: what the pytest process holds."""

from __future__ import annotations

import shutil

import pytest
from inner import Inner
from processes import PROGRAMS

FLAG = "--tmux-leak-check"
PREAMBLE = """
import gc, os, socket, subprocess, threading
import pytest
from pytest_tmuxlife import LeakError
from leaving import *

def kinds(leaks):
    return sorted(leak.kind for leak in leaks)
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    shutil.copy(PROGRAMS / "leaving.py", pytester.path)
    return Inner(pytester, monkeypatch)


def test_what_the_body_has_opened_is_named_and_left_alone(inner: Inner) -> None:
    """Of every kind, with the line that opened it; closed in time it is no leak."""
    result = inner.run(
        PREAMBLE
        + """
def test_it(tmux_leaks, tmp_path):
    assert tmux_leaks.check() == []
    log = open(tmp_path / "agent.log", "w")
    listener = socket.create_server(("127.0.0.1", 0))
    child = subprocess.Popen(["sleep", "1000"])
    daemon = orphan(os.setsid)
    segment = make_segment()
    subprocess.run(["tmux", "new-session", "-d", "exec sleep 1000"], check=True)
    leaks = tmux_leaks.check()
    assert kinds(leaks) == [
        "descriptor", "process", "process", "process",
        "shared memory", "socket", "tmux server",
    ]
    [opened] = [leak for leak in leaks if leak.target.endswith("agent.log")]
    assert opened.opened_at.endswith("test_it()")
    assert kinds(tmux_leaks.check()) == kinds(leaks)
    subprocess.run(["tmux", "kill-server"], check=True)
    remove_segment(segment)
    end_orphan(daemon)
    child.kill()
    child.wait()
    listener.close()
    log.close()
    tmux_leaks.assert_none(grace=60)
""",
        FLAG,
    )
    result.assert_outcomes(passed=1)


def test_what_is_not_the_bodys_is_not_named(inner: Inner) -> None:
    """Nor what goes with the next collection, or within the grace."""
    inner.add_to_conftest(
        """
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call():
            with open("/dev/null"):
                return (yield)
        """
    )
    result = inner.run(
        PREAMBLE
        + """
@pytest.fixture(scope="module")
def client():
    opened = []
    yield opened
    for file in opened:
        file.close()

@pytest.fixture(scope="module")
def late():
    number = os.open("/dev/null", os.O_RDONLY)
    yield
    os.close(number)

@pytest.fixture
def log(tmp_path):
    with open(tmp_path / "log", "w") as log:
        yield log

def test_of_a_fixture(log, tmux_leaks, capfd):
    tmux_leaks.assert_none()

def test_of_a_fixture_that_is_set_up_later(tmux_leaks, request):
    request.getfixturevalue("log")
    tmux_leaks.assert_none()

def test_of_a_wider_fixture(client, tmux_leaks):
    client.append(open("/dev/null"))
    tmux_leaks.assert_none()

def test_of_a_wider_fixture_that_is_set_up_later(tmux_leaks, request):
    request.getfixturevalue("late")
    tmux_leaks.assert_none()

def test_of_a_test_before(tmux_leaks):
    tmux_leaks.assert_none()

def test_garbage(tmux_leaks):
    gc.disable()
    cycle = [open("/dev/null")]
    cycle.append(cycle)
    del cycle
    tmux_leaks.assert_none()
    gc.enable()

def test_of_a_thread_that_ends(tmux_leaks):
    def work():
        with open("/dev/null"):
            opened.set()
            go.wait()
    opened, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    opened.wait()
    assert kinds(tmux_leaks.check()) == ["descriptor"]
    go.set()
    tmux_leaks.assert_none(grace=60)
    thread.join()

def test_of_a_server_of_ours(tmux_pane, tmux_leaks, tmux_server_factory):
    tmux_pane.run("true")
    tmux_server_factory().new_session()
    tmux_leaks.assert_none()
""",
        FLAG,
    )
    result.assert_outcomes(passed=8)


def test_baseline_can_be_taken_anew_and_a_rule_allows(inner: Inner) -> None:
    """The test's own comes first; the verdict at its end asks for that too."""
    result = inner.run(
        PREAMBLE
        + """
def test_baseline(tmux_leaks, tmp_path):
    mine = keep(open(tmp_path / "mine", "w"))
    helper = subprocess.Popen(["sleep", "1000"])
    tmux_leaks.take_baseline()
    tmux_leaks.assert_none()
    other = open(tmp_path / "other", "w")
    with pytest.raises(LeakError, match="1 descriptor not accounted for") as caught:
        tmux_leaks.assert_none()
    assert [leak.target.endswith("/other") for leak in caught.value.leaks] == [True]
    other.close()
    helper.kill()
    helper.wait()

def test_rule(tmux_leaks, tmp_path):
    tmux_leaks.ignore("cache$", reason="it is the program's")
    keep(open(tmp_path / "cache", "w"))
    tmux_leaks.assert_none()
""",
        FLAG,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["LEAKED *::test_baseline - 1 descriptor outlived*"])


def test_without_the_option_a_test_with_the_fixture_is_watched_too(
    inner: Inner,
) -> None:
    """But not at the level ``off``."""
    result = inner.run(
        PREAMBLE
        + """
def test_watched(tmux_leaks):
    with open("/dev/null"):
        assert kinds(tmux_leaks.check()) == ["descriptor"]
    tmux_leaks.assert_none()

@pytest.mark.tmux_leak_check("off")
def test_not_watched(tmux_leaks):
    with open("/dev/null"):
        assert tmux_leaks.check() == []
"""
    )
    result.assert_outcomes(passed=2)
