"""A tmux that hangs, is missing, too old, or no tmux at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import PASSING, Run, has_holder


def make_tmux(where: Path, script: str) -> str:
    """A program to be given as ``--tmux-bin``; ``$real`` is the real one."""
    path = where / "faketmux"
    path.write_text(f"#!/bin/sh\nreal={shutil.which('tmux')}\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[int]:
    """Read end of the FIFO ``lifeline`` in tmp_path; whoever holds it lives."""
    os.mkfifo(tmp_path / "lifeline")
    fd = os.open(tmp_path / "lifeline", os.O_RDONLY | os.O_NONBLOCK)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("hangs_at", "says"),
    [
        ("-V", "-V did not answer within 2 s"),
        ("new-session", "did not start a server on * within 2 s"),
        ("list-sessions", "did not answer 'list-sessions' within 2 s"),
    ],
)
def test_a_tmux_that_hangs_is_an_error_within_the_limit(
    run_inner: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lifeline: int,
    hangs_at: str,
    says: str,
) -> None:
    """It is ended with its children, and the next test runs all the same."""
    script = f"""case " $* " in *" {hangs_at} "*)
        exec 9> {tmp_path}/lifeline; trap '' HUP TERM; echo > {tmp_path}/hung
        sleep 1000;; esac; exec $real "$@" """
    monkeypatch.setenv("TMUXLIFE_TIMEOUT_SCALE", "0.2")
    monkeypatch.setenv("TMUXLIFE_ENGINE", "process")
    result = run_inner(
        """
        def test_it(tmux_server, tmux_session):
            tmux_server.cmd("list-sessions")

        def test_next():
            pass
        """,
        f"--tmux-bin={make_tmux(tmp_path, script)}",
    )
    assert (tmp_path / "hung").exists()
    result.stdout.fnmatch_lines([f"*ServerNotRunning: *{says}*"])
    assert result.parseoutcomes()["passed"] == 1
    assert result.duration < 30
    assert not has_holder(lifeline)


def test_a_tmux_that_hangs_costs_its_limit_once(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each of the tests has the error."""
    monkeypatch.setenv("TMUXLIFE_TIMEOUT_SCALE", "0.2")
    tmux = make_tmux(tmp_path, f"echo >> {tmp_path}/calls; sleep 1000")
    result = run_inner(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(tmux_server, number):
            pass
        """,
        f"--tmux-bin={tmux}",
    )
    result.assert_outcomes(errors=4)
    assert (tmp_path / "calls").read_text() == "\n"


MISSING = "--tmux-bin=/nonexistent/tmux"


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("", "/nonexistent/tmux not found; install it (apt-get install tmux"),
        ("tmux 3.1c", "tmux 3.1c is too old: tmux 3.2 or newer is needed"),
        ("tmux 1.8", "tmux 1.8 is too old"),
        ("hello", "-V printed 'hello', which names no version"),
    ],
)
def test_without_a_usable_tmux_tests_are_skipped_with_a_reason(
    run_inner: Run, tmp_path: Path, version: str, reason: str
) -> None:
    """Those that use the fixtures; the others run."""
    script = f"echo '{version}'; echo >> {tmp_path}/calls"
    option = f"--tmux-bin={make_tmux(tmp_path, script)}" if version else MISSING
    result = run_inner(f"{PASSING}\n    def test_other():\n        pass", option, "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    assert reason in result.stdout.str()


def test_without_tmux_in_the_path_tests_are_skipped(
    run_inner: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With how to install it as the reason."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TMUXLIFE_BIN", raising=False)
    result = run_inner(PASSING, "-rs")
    result.assert_outcomes(skipped=1)
    assert "tmux not found; install it (apt-get install tmux" in result.stdout.str()


def test_a_required_tmux_that_is_missing_stops_the_run(run_inner: Run) -> None:
    """At once, with how to install it."""
    result = run_inner(PASSING, "--tmux-required", MISSING)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --tmux-required: /nonexistent/tmux not found; install it (apt-get *"]
    )


def test_a_required_tmux_that_is_too_old_stops_the_run(
    run_inner: Run, tmp_path: Path
) -> None:
    """At once, with both versions and how to install it."""
    tmux = make_tmux(tmp_path, "echo tmux 3.1c")
    result = run_inner(PASSING, "--tmux-required", f"--tmux-bin={tmux}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --tmux-required: tmux 3.1c is too old: tmux 3.2 *; install it *"]
    )
