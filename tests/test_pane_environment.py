"""The environment of panes is the same, however their session was made."""

from __future__ import annotations

import pytest

from pytest_tmuxlife import Server
from pytest_tmuxlife.fixtures import ServerFactory

ENGINES = ["native", "process"]
# One that tmux's option update-environment names, as it does DISPLAY.
UPDATED = "SSH_CONNECTION"


@pytest.fixture(params=ENGINES)
def server(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Server:
    """One that was started without a session, in an environment of the test's."""
    monkeypatch.setenv(UPDATED, "1.2.3.4 5 6.7.8.9 22")
    factory: ServerFactory = request.getfixturevalue("tmux_server_factory")
    server = factory()
    if request.param == "process":
        server._client._native = None
    return server


def test_a_session_gets_what_tmux_takes_from_a_client(server: Server) -> None:
    """Such a variable comes from the client that makes the session, or is taken out."""
    for _ in range(2):
        pane = server.new_session().pane
        assert pane.run(f"echo ${UPDATED}").output == "1.2.3.4 5 6.7.8.9 22\n"


def test_a_variable_that_is_given_wins_over_that_of_the_client(server: Server) -> None:
    pane = server.new_session(env={UPDATED: "given"}).pane
    assert pane.run(f"echo ${UPDATED}").output == "given\n"


def test_path_that_is_given_is_that_of_the_pane(server: Server) -> None:
    pane = server.new_session(env={"PATH": "/given:/usr/bin:/bin"}).pane
    assert pane.run("echo $PATH").output == "/given:/usr/bin:/bin\n"
    other = pane.run("tmux show-environment -g PATH").output
    assert "/given" not in other
