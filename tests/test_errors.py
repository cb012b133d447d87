"""The error tree: fields, messages, and what survives a pickle."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

import pytest_tmuxlife
from pytest_tmuxlife import (
    CommandFailed,
    CommandTimeout,
    LeakError,
    Pane,
    PaneDied,
    PaneNotReady,
    Server,
    ServerNotRunning,
    ServerStillAlive,
    SocketPathTooLong,
    TmuxLifeError,
    WaitTimeout,
    errors,
)
from pytest_tmuxlife.containment.directories import check_socket_path

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, TmuxLifeError)
]


def declared_fields(kind: type[TmuxLifeError]) -> list[str]:
    """Names that the class says its errors have."""
    return list(inspect.get_annotations(kind))


@pytest.mark.parametrize("kind", CLASSES)
def test_error_survives_a_pickle_with_its_fields(kind: type[TmuxLifeError]) -> None:
    """As it must to come from a worker process."""
    fields: dict[str, Any] = {name: [name] for name in declared_fields(kind)}
    error = kind("what happened\n  the evidence", **fields)
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(twin) is kind
        assert str(twin) == "what happened\n  the evidence"
        assert twin.args == error.args
        assert {name: getattr(twin, name) for name in fields} == fields


@pytest.mark.parametrize("kind", CLASSES)
def test_error_is_one_of_ours_and_public(kind: type[TmuxLifeError]) -> None:
    assert issubclass(kind, TmuxLifeError)
    assert getattr(pytest_tmuxlife, kind.__name__) is kind


@pytest.mark.parametrize("kind", CLASSES)
def test_docstring_names_every_field(kind: type[TmuxLifeError]) -> None:
    text = kind.__doc__ or ""
    if kind is not TmuxLifeError:
        assert [name for name in declared_fields(kind) if name not in text] == []


def test_leak_error_is_an_assertion_error() -> None:
    """So a test that asserts cleanliness fails, and is no error."""
    assert issubclass(LeakError, AssertionError)


# -- raised for real: every declared field is there --------------------------------


def assert_complete(error: TmuxLifeError) -> None:
    """All fields that the class declares have a value, after a pickle too."""
    twin = pickle.loads(pickle.dumps(error))
    for name in declared_fields(type(error)):
        assert hasattr(error, name), name
        assert repr(getattr(twin, name)) == repr(getattr(error, name))
    assert str(twin) == str(error)


def test_wait_timeout_shows_pattern_seconds_and_screen(tmux_pane: Pane) -> None:
    tmux_pane.run("echo on the screen")
    with pytest.raises(WaitTimeout) as caught:
        tmux_pane.wait_for_text("never", timeout=0.2)
    error = caught.value
    assert_complete(error)
    assert (error.pane, error.timeout) == (tmux_pane.id, 0.2)
    assert error.screen is not None
    assert "on the screen" in error.screen.text
    lines = str(error).splitlines()
    assert lines[0].startswith(f"no text 'never' on pane {tmux_pane.id} in 0.2 s (bash")
    assert "on the screen" in str(error)


def test_command_timeout_has_the_output_so_far(tmux_pane: Pane) -> None:
    with pytest.raises(CommandTimeout) as caught:
        tmux_pane.run("echo so far; read nothing", timeout=0.5)
    assert_complete(caught.value)
    assert "so far" in caught.value.output
    assert "echo so far; read nothing" in str(caught.value)
    tmux_pane.send_key("C-c")


def test_command_failed_has_status_and_output(tmux_pane: Pane) -> None:
    with pytest.raises(CommandFailed) as caught:
        tmux_pane.run("echo why; (exit 7)", check=True)
    assert_complete(caught.value)
    assert (caught.value.exit_code, caught.value.output) == (7, "why\n")
    assert "7" in str(caught.value)
    assert "why" in str(caught.value)


def test_pane_died_names_the_program(tmux_server: Server) -> None:
    tmux_server.new_session()
    pane = tmux_server.new_pane(["cat"])
    pane.send_key("C-d")
    with pytest.raises(PaneDied) as caught:
        pane.wait_for_text("never")
    assert_complete(caught.value)
    assert (caught.value.pane, caught.value.program) == (pane.id, "cat")


def test_pane_not_ready_names_its_state(tmux_server: Server) -> None:
    pane = tmux_server.new_pane(["cat"])
    with pytest.raises(PaneNotReady) as caught:
        pane.wait_for_prompt()
    assert_complete(caught.value)
    assert caught.value.state == "unknown prompt"


def test_server_not_running_names_the_socket(tmux_server: Server) -> None:
    tmux_server.kill()
    with pytest.raises(ServerNotRunning) as caught:
        tmux_server.cmd("list-sessions")
    assert_complete(caught.value)
    assert caught.value.socket_path == tmux_server.socket_path
    assert tmux_server.socket_path in str(caught.value)


def test_server_still_alive_names_pid_and_seconds(tmux_server: Server) -> None:
    """A stopped server does not go; the fixture's end copes with it."""
    with pytest.raises(ServerStillAlive) as caught:
        stop_and_kill(tmux_server)
    assert_complete(caught.value)
    assert caught.value.pid == tmux_server.pid
    assert "is still alive 0.2 s after kill-server" in str(caught.value)


def stop_and_kill(server: Server) -> None:
    """Ask a stopped server to end."""
    pidfd = os.pidfd_open(server.pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        server.kill(timeout=0.2)
    finally:
        os.close(pidfd)


def test_socket_path_too_long_says_by_how_much() -> None:
    with pytest.raises(SocketPathTooLong) as caught:
        check_socket_path("/" + "x" * 119)
    assert_complete(caught.value)
    assert caught.value.excess == 120 - caught.value.limit
    assert f"is {caught.value.excess} bytes too long" in str(caught.value)


def test_leak_error_has_the_leaks(tmux_pane: Pane, tmux_leaks: Any) -> None:
    """Raised in the middle of a test, it comes through a pickle whole."""
    tmux_pane.run("(trap '' HUP; setsid sleep 1000 & echo $! > leaked)", check=True)
    pid = int((Path(f"/proc/{tmux_pane.pid}/cwd") / "leaked").read_text())
    with pytest.raises(LeakError) as caught:
        tmux_leaks.assert_none(grace=0.1)
    assert [leak.process.pid for leak in caught.value.leaks if leak.process] == [pid]
    assert_complete(caught.value)
    tmux_leaks.ignore("sleep 1000", reason="is ended by the plugin, after the verdict")
