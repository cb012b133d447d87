"""The verdict when a time-out rings, of pytest-timeout and of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner import Inner
from runs import PytestProcess


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


def test_time_out_shorter_than_the_grace_keeps_the_description(inner: Inner) -> None:
    """The wait is cut to what the alarm leaves, and the report says so."""
    result = inner.run(
        """
        import pytest

        @pytest.mark.timeout(5, method="signal")
        def test_leaking(tmux_pane, leave):
            leave(tmux_pane)
        """,
        "-o",
        "tmux_leak_grace=60",
    )
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *(instead of 60 s: an alarm is due in *",
            "*ALIVE*",
        ]
    )
    assert result.ret == 1
    inner.assert_all_gone(1)


def test_alarm_in_the_grace_keeps_the_description(inner: Inner) -> None:
    """An alarm that is no interval timer of this thread cannot be foreseen."""
    result = inner.run(
        """
        import os, signal, threading, pytest

        @pytest.fixture
        def alarm(tmux_pane):
            def rings(number, frame):
                pytest.fail("rang")
            signal.signal(signal.SIGALRM, rings)
            yield
            threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGALRM)).start()

        def test_leaking(alarm, tmux_pane, leave):
            leave(tmux_pane)
        """,
        "-o",
        "tmux_leak_grace=60",
    )
    result.stdout.fnmatch_lines(
        [
            "*Failed: rang",
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *(cut short by Failed)",
            "*ALIVE*",
            "LEAKED test_inner.py::test_leaking - 1 process outlived tmux server *, "
            "beside Failed: rang",
        ]
    )
    assert result.ret == 1
    inner.assert_all_gone(1)


@pytest.mark.parametrize("moment", ["begin_end", "_judge"])
def test_alarm_outside_the_wait_keeps_the_description(
    inner: Inner, moment: str
) -> None:
    """When the tree is noted, or when what is left is described."""
    inner.add_to_conftest(
        f"""
        from pytest_tmuxlife.harness import keeper
        from pytest_tmuxlife.leaks import finder

        module = keeper if hasattr(keeper, {moment!r}) else finder
        real, rang = getattr(module, {moment!r}), []

        def ringing(*args, **kwargs):
            if not rang:
                rang.append(True)
                pytest.fail("rang")
            return real(*args, **kwargs)

        setattr(module, {moment!r}, ringing)
        """
    )
    result = inner.run(
        """
        def test_leaking(tmux_server_factory, leave):
            for server in (tmux_server_factory(), tmux_server_factory()):
                leave(server.new_session().pane)
        """
    )
    result.stdout.fnmatch_lines(
        [
            "*Failed: rang",
            "1 process outlived tmux server *(cut short by Failed)",
            "1 process outlived tmux server *(cut short by Failed)",
        ]
    )
    assert result.ret == 1
    inner.assert_all_gone(2)


IN_THE_BODY = """
import pytest

@pytest.mark.timeout(5, method={method!r})
def test_hangs(tmux_pane, leave):
    leave(tmux_pane)
    tmux_pane.run("read nothing", timeout=60)
"""


def test_time_out_in_the_body_shows_failure_and_leak(inner: Inner) -> None:
    result = inner.run(IN_THE_BODY.format(method="signal"))
    result.stdout.fnmatch_lines(
        [
            "E *Failed: Timeout (>5.0s) from pytest-timeout.",
            "FAILED test_inner.py::test_hangs - Failed: Timeout*",
            "LEAKED test_inner.py::test_hangs - 1 process outlived tmux server *",
        ]
    )
    inner.assert_all_gone(1)


def test_time_out_that_ends_the_process_leaves_nothing(tmp_path: Path) -> None:
    """The thread method is os._exit: no finalizer runs."""
    source = """
import pytest

@pytest.mark.timeout(5, method="thread")
def test_hangs(stubborn, ready):
    server = stubborn()
    ready()
    server.cmd("wait-for", "never", timeout=60)
"""
    with PytestProcess(tmp_path, source) as run:
        run.wait_ready()
        assert run.note_processes() > 4
        assert run.wait() == 1
        assert "Timeout" in run.output
        run.assert_nothing_left()
