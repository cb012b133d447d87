"""A real terminal, attached: typed into, resized, detached, ended."""

from __future__ import annotations

import os
import signal

import pexpect
import pytest
from inner import Inner

from pytest_tmuxlife import (
    AttachedClient,
    ClientFactory,
    Pane,
    PaneNotReady,
    Server,
    Session,
    TmuxLifeError,
)
from pytest_tmuxlife.containment import kernel, procfs

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=30)


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    monkeypatch.setenv("TMUXLIFE_LEAK_GRACE", "20")
    return Inner(pytester, monkeypatch)


def attached(server: Server) -> list[str]:
    """Names of the clients that the server has."""
    return server.cmd("list-clients", "-F", "#{client_name}").stdout


def test_client_is_attached_and_shows_the_pane(
    tmux_client: AttachedClient, tmux_server: Server, tmux_pane: Pane
) -> None:
    assert attached(tmux_server) == [tmux_client.name]
    tmux_pane.run("echo from inside")
    assert tmux_client.expect("from inside") == 0


def test_what_is_typed_into_it_reaches_the_pane(
    tmux_client: AttachedClient, tmux_pane: Pane
) -> None:
    tmux_client.sendline("echo one $((1 + 1)) three")
    tmux_pane.wait_for_text("one 2 three", scope="history")
    tmux_client.expect("one 2 three")


def test_prefix_key_is_tmux_s_own(
    tmux_client: AttachedClient, tmux_session: Session
) -> None:
    """C-b % splits the window."""
    tmux_client.send("\x02%")
    first = tmux_session.pane
    first.wait_until(lambda: len(tmux_session.panes) == 2 or None, None, "a split")


def test_size_of_the_window_follows_the_terminal(
    tmux_client: AttachedClient, tmux_pane: Pane
) -> None:
    """One row is the status line's."""

    def is_of(size: tuple[int, int]) -> None:
        tmux_pane.wait_until(
            lambda: tmux_pane.screen().size == size or None, None, f"size {size}"
        )

    is_of((80, 23))
    tmux_client.resize(100, 40)
    is_of((100, 39))


def test_size_that_cannot_be_is_refused(tmux_client: AttachedClient) -> None:
    with pytest.raises(TmuxLifeError, match="resize to 0x10"):
        tmux_client.resize(0, 10)


def test_two_clients_of_different_size(
    tmux_client_factory: ClientFactory, tmux_server: Server, tmux_pane: Pane
) -> None:
    wide = tmux_client_factory(size=(120, 30))
    narrow = tmux_client_factory(size="60x20")
    look = "#{client_name} #{client_width}x#{client_height}"
    sizes = tmux_server.cmd("list-clients", "-F", look).stdout
    assert sorted(sizes) == sorted([f"{wide.name} 120x30", f"{narrow.name} 60x20"])
    tmux_pane.run("echo to both")
    wide.expect("to both")
    narrow.expect("to both")
    narrow.detach()
    assert attached(tmux_server) == [wide.name]
    tmux_pane.run("echo to one")
    wide.expect("to one")


def wait_for_window(server: Server, size: str) -> None:
    """Until the window of the current session has that size."""
    pane = server.sessions[0].pane
    look = ("display-message", "-p", "-t", pane.id, "#{window_width}x#{window_height}")
    pane.wait_until(lambda: server.cmd(*look).stdout == [size] or None, None, size)


def test_window_has_the_size_of_the_client_that_was_used_last(
    tmux_client_factory: ClientFactory, tmux_server: Server, tmux_pane: Pane
) -> None:
    """``window-size latest``, tmux's own default; a row is the status line's."""
    wide = tmux_client_factory(size=(120, 40))
    wait_for_window(tmux_server, "120x39")
    narrow = tmux_client_factory(size=(60, 20))
    wait_for_window(tmux_server, "60x19")
    wide.send("x")
    wait_for_window(tmux_server, "120x39")
    narrow.send("x")
    wait_for_window(tmux_server, "60x19")
    narrow.detach()
    wait_for_window(tmux_server, "120x39")
    wide.resize(50, 10)
    wait_for_window(tmux_server, "50x9")
    wide.detach()
    wait_for_window(tmux_server, "50x9")


def test_window_has_the_size_of_the_smallest_client_if_a_test_wants_that(
    tmux_client_factory: ClientFactory, tmux_server: Server, tmux_pane: Pane
) -> None:
    tmux_server.cmd("set-option", "-g", "window-size", "smallest")
    wide = tmux_client_factory(size=(120, 20))
    narrow = tmux_client_factory(size=(60, 40))
    wait_for_window(tmux_server, "60x19")
    wide.send("x")
    tmux_pane.wait_for_text("x", scope="line")
    wait_for_window(tmux_server, "60x19")
    narrow.resize(70, 10)
    wait_for_window(tmux_server, "70x9")
    narrow.detach()
    wait_for_window(tmux_server, "120x19")


def test_detached_client_has_ended_and_the_session_has_not(
    tmux_client: AttachedClient, tmux_session: Session
) -> None:
    tmux_client.detach()
    assert tmux_client.exitstatus == 0
    assert tmux_client.closed
    assert procfs.stat(int(tmux_client.pid or 0)) is None
    assert tmux_session.exists
    tmux_client.detach()


def test_client_of_a_session_that_ends_says_so(
    tmux_client: AttachedClient, tmux_session: Session
) -> None:
    tmux_session.kill()
    tmux_client.expect("exited")
    tmux_client.expect(pexpect.EOF)


def test_client_leaves_no_descriptor_and_no_process(
    tmux_client_factory: ClientFactory, tmux_session: Session, tmux_pane: Pane
) -> None:
    tmux_pane.run("true")
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        client = tmux_client_factory(tmux_session)
        assert client.isalive()
        client.end()
        assert not client.isalive()
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_client_that_is_closed_leaves_no_descriptor(
    tmux_client_factory: ClientFactory,
) -> None:
    tmux_client_factory().detach()
    before = os.listdir("/proc/self/fd")
    tmux_client_factory().close()
    assert os.listdir("/proc/self/fd") == before


def test_client_that_is_detached_has_no_size(tmux_client: AttachedClient) -> None:
    tmux_client.detach()
    with pytest.raises(TmuxLifeError, match="is detached"):
        tmux_client.resize(100, 30)


def test_what_is_no_session_cannot_be_attached_to(
    tmux_client_factory: ClientFactory, tmux_pane: Pane
) -> None:
    with pytest.raises(TmuxLifeError, match=r"session is .* must be a Session"):
        tmux_client_factory(tmux_pane)  # type: ignore[arg-type]


def test_client_that_nobody_reads_is_ended(
    tmux_client: AttachedClient, tmux_pane: Pane
) -> None:
    """Its terminal is full: it cannot even say that it goes."""
    tmux_pane.run("seq 1 5000")
    tmux_client.end()
    assert tmux_client.exitstatus == 0


def test_client_that_is_stuck_is_killed_and_named(
    tmux_client: AttachedClient,
) -> None:
    os.kill(int(tmux_client.pid or 0), signal.SIGSTOP)
    with pytest.raises(TmuxLifeError, match="did not end within 1 s after"):
        tmux_client.end(timeout=1)
    assert tmux_client.signalstatus == signal.SIGKILL


def test_session_that_is_gone_cannot_be_attached_to(
    tmux_server: Server, tmux_session: Session, tmux_client_factory: ClientFactory
) -> None:
    gone = tmux_server.new_session()
    gone.kill()
    with pytest.raises(PaneNotReady, match=r"did not get attached .*can't find"):
        tmux_client_factory(gone)


def test_size_that_no_terminal_has_is_refused(
    tmux_client_factory: ClientFactory,
) -> None:
    with pytest.raises(TmuxLifeError, match="client of size 'big': expected"):
        tmux_client_factory(size="big")


def test_forgotten_clients_leave_a_clean_test(inner: Inner) -> None:
    """They are ended with the test, whatever state they are in: nothing leaks."""
    result = inner.run(
        """
        def test_attached(tmux_client, tmux_pane):
            tmux_pane.run("seq 1 5000")

        def test_several(tmux_client_factory, tmux_server):
            for size in ((80, 24), (100, 30)):
                tmux_client_factory(size=size)
            tmux_server.new_session()

        def test_server_is_gone(tmux_client, tmux_server):
            tmux_server.cmd("kill-server")
        """,
        "--tmux-leak-check",
    )
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*LEAKED*")


def test_run_that_is_killed_leaves_no_client(inner: Inner) -> None:
    """Its terminal goes with pytest, and its server is ended."""
    result = inner.run(
        """
        import os, signal

        def test_it(tmux_client, tmux_server):
            with open("pid", "w") as file:
                file.write(str(tmux_client.pid))
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert result.ret == -signal.SIGKILL
    pid = int((inner.pytester.path / "pid").read_text())
    pidfd = kernel.open_pidfd(pid)
    if pidfd is not None:
        has_ended = kernel.has_exited(pidfd, 30)
        os.close(pidfd)
        assert has_ended
