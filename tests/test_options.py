"""Options of servers, sessions and panes: where they come from, and what they do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from panes import tmux
from runs import eventually

from pytest_tmuxlife import (
    Pane,
    Server,
    ServerFactory,
    TmuxLifeError,
)

LIMIT = 30.0


def variables(pane: Pane) -> list[bytes]:
    """What the pane's first process was executed with."""
    return Path(f"/proc/{pane.pid}/environ").read_bytes().split(b"\0")


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("tmux_server_factory", "tmux_server_factory(sise=(80, 24))"),
        ("new_session", "tmux_server.new_session(sise=(80, 24))"),
        ("new_pane", "tmux_server.new_pane(['cat'], sise=(80, 24))"),
    ],
)
def test_unknown_option_of_a_call_is_refused_by_name(
    tmux_server: Server, tmux_server_factory: ServerFactory, where: str, call: str
) -> None:
    message = (
        rf"{where}: unknown option 'sise'; did you mean 'size'\? \(valid: config, "
    )
    with pytest.raises(TmuxLifeError, match=message):
        eval(call, {}, {"tmux_server": tmux_server, where: tmux_server_factory})
    assert tmux_server.sessions == []


@pytest.mark.parametrize("seconds", [0, -1, 1e9, float("inf"), float("nan")])
def test_option_that_nobody_can_wait_for_is_refused(
    tmux_server: Server, seconds: float
) -> None:
    said = "more than 0 seconds, and at most 100000"
    with pytest.raises(TmuxLifeError, match=said):
        tmux_server.new_pane(["cat"], timeout=seconds)


def test_config_of_a_session_is_refused(tmux_server: Server, tmp_path: Path) -> None:
    """A server reads its configuration once."""
    with pytest.raises(TmuxLifeError, match="config is fixed when the server starts"):
        tmux_server.new_session(config=tmp_path / "tmux.conf")


def test_directory_is_the_test_s_own(tmux_pane: Pane, tmp_path: Path) -> None:
    assert tmux_pane.run("pwd").output == f"{tmp_path}\n"


@pytest.mark.parametrize(
    "name",
    [
        "#{pane_id}",
        "two words",
        "semi;colon",
        "ends with;",
        'it\'s "so"',
        "$HOME ~ \\",
        "#",
    ],
)
def test_directory_with_odd_characters(
    tmux_server: Server, tmp_path: Path, name: str
) -> None:
    directory = tmp_path / name
    directory.mkdir()
    pane = tmux_server.new_session(cwd=directory).pane
    assert os.readlink(f"/proc/{pane.pid}/cwd") == str(directory)


@pytest.mark.parametrize(
    "value", ["a;b", "ends;", "#{pid} #S", "", "$HOME `x` \"'", "é\n\t="]
)
def test_variables_arrive_as_they_are(tmux_server: Server, value: str) -> None:
    """In a session of a running server, which takes another way than its first."""
    first = tmux_server.new_pane(["cat"], env={"ODD": value})
    second = tmux_server.new_pane(["cat"], env={"ODD": value})
    expected = b"ODD=" + value.encode()
    # Until they have executed their program, they show that of the tmux server.
    assert eventually(
        lambda: all(expected in variables(pane) for pane in (first, second)), LIMIT
    )


@pytest.mark.tmux(env={"OF_MARKER": "1", "BOTH": "marker"})
def test_variables_of_marker_and_call_are_added_up(
    tmux_server_factory: ServerFactory,
) -> None:
    pane = tmux_server_factory(env={"BOTH": "call"}).new_session().pane
    assert pane.run("echo $OF_MARKER $BOTH").output == "1 call\n"


@pytest.mark.tmux(size=(101, 33))
def test_size_holds(tmux_server: Server, tmux_pane: Pane) -> None:
    """For the terminal, for programs, and for sessions that the tested code makes."""
    assert tmux_pane.run("stty size").output == "33 101\n"
    tmux(tmux_server.env, "new-session", "-d", "-s", "theirs")
    sizes = tmux_server.cmd(
        "list-windows", "-a", "-F", "#{window_width}x#{window_height}"
    )
    assert sizes.stdout == ["101x33", "101x33"]


def test_size_of_one_session_is_its_own(tmux_server: Server) -> None:
    tmux_server.new_session()
    assert tmux_server.new_session(size="40x10").pane.screen().size == (40, 10)


@pytest.mark.tmux(history_limit=5)
def test_history_limit_holds(tmux_pane: Pane) -> None:
    tmux_pane.run("clear; seq 200")
    kept = tmux_pane.history().splitlines()
    assert "200" in kept
    assert "100" not in kept


def test_history_limit_of_one_session_is_its_own(tmux_server: Server) -> None:
    tmux_server.new_session()
    tmux_server.new_session(history_limit=7)
    tmux_server.new_session()
    limits = tmux_server.cmd("list-panes", "-a", "-F", "#{history_limit}").stdout
    assert limits == ["50000", "7", "50000"]


@pytest.mark.tmux(remain_on_exit=True)
def test_remain_on_exit_keeps_the_pane(tmux_server: Server) -> None:
    pane = tmux_server.new_pane("echo last words")
    assert eventually(lambda: pane.has_ended, LIMIT)
    assert "last words" in pane.history()


def test_remain_on_exit_of_one_session_is_its_own(tmux_server: Server) -> None:
    tmux_server.new_session()
    kept = tmux_server.new_pane("true", remain_on_exit=True)
    gone = tmux_server.new_pane("true")
    assert eventually(lambda: gone not in tmux_server.panes, LIMIT)
    assert kept in tmux_server.panes


def test_config_is_read_after_ours(
    tmux_server_factory: ServerFactory, tmp_path: Path
) -> None:
    """What it sets wins; a file with odd characters in its name is found."""
    config = tmp_path / 'it\'s; #{pid} "$HOME".conf'
    config.write_text("set -g @mine yes\nset -g history-limit 123\n")
    server = tmux_server_factory(config=config)
    server.new_session()
    assert server.cmd("show-options", "-gv", "@mine").stdout == ["yes"]
    assert server.cmd("show-options", "-gv", "history-limit").stdout == ["123"]


def test_user_s_tmux_conf_is_not_read(
    tmux_server_factory: ServerFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / ".tmux.conf").write_text("set -g @users yes\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    server = tmux_server_factory()
    server.new_session()
    assert server.cmd("show-options", "-gqv", "@users").stdout == []


def test_pane_gets_what_monkeypatch_set(
    monkeypatch: pytest.MonkeyPatch, tmux_server_factory: ServerFactory
) -> None:
    """And nothing else of pytest's environment that no list lets through."""
    monkeypatch.setenv("SET_BY_TEST", "here")
    pane = tmux_server_factory().new_session().pane
    assert pane.run("echo $SET_BY_TEST $PYTEST_CURRENT_TEST").output == "here\n"


def test_pane_environment_too_large_for_one_message_is_refused_clearly(
    tmux_server: Server,
) -> None:
    env = {f"V{number}": "x" * 3000 for number in range(30)}
    with pytest.raises(TmuxLifeError, match="too long"):
        tmux_server.new_pane(["cat"], env=env)
