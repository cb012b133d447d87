"""A mouse at an attached terminal, and what of it programs in panes get."""

from __future__ import annotations

import select
from pathlib import Path

import pytest

from pytest_tmuxlife import AttachedClient, ClientFactory, Pane, Server, Session
from pytest_tmuxlife.clock import Deadline

# Longer than by default, for a busy machine.
pytestmark = pytest.mark.tmux(timeout=60)

LISTENS = """
import os, sys, tty
tty.setraw(0)
with open("received", "wb", buffering=0) as file:
    os.write(1, sys.argv[1].encode() + b"listens")
    while data := os.read(0, 4096):
        file.write(data)
"""
BUTTONS = "\x1b[?1000h"
SGR = "\x1b[?1006h"


def listen(session: Session, directory: Path, asks_for: str) -> Pane:
    """The right one of two panes, and the current one; writes to ``received``."""
    (directory / "listens.py").write_text(LISTENS)
    pane = session.split(["python3", "listens.py", asks_for])
    pane.wait_for_text("listens")
    session.libtmux.server.cmd("select-pane", "-t", pane.id)
    return pane


def left_edge(server: Server, pane: Pane) -> int:
    """Columns to the left of the pane; it starts in the first row."""
    look = ("display-message", "-p", "-t", pane.id, "#{pane_left} #{pane_top}")
    left, top = map(int, server.cmd(*look).stdout[0].split())
    assert left > 0
    assert top == 0
    return left


def received(directory: Path, last: bytes) -> bytes:
    """All that the program got, once it ends so."""
    deadline = Deadline(60)
    while not (data := (directory / "received").read_bytes()).endswith(last):
        assert not deadline.expired, data
        select.select([], [], [], 0.01)
    return data


def click(client: AttachedClient, column: int, row: int) -> None:
    """The first button is pressed and released there, counted from 1."""
    for end in "Mm":
        client.send(f"\x1b[<0;{column};{row}{end}")


@pytest.mark.parametrize("mouse", ["off", "on"])
def test_program_that_has_asked_gets_the_mouse_in_its_own_coordinates(
    tmux_server: Server,
    tmux_session: Session,
    tmux_client_factory: ClientFactory,
    tmp_path: Path,
    mouse: str,
) -> None:
    """Whether tmux itself takes the mouse or not."""
    tmux_server.cmd("set-option", "-g", "mouse", mouse)
    pane = listen(tmux_session, tmp_path, BUTTONS + SGR)
    client = tmux_client_factory()
    # tmux has asked the terminal for it.
    client.expect_exact(BUTTONS)
    column = left_edge(tmux_server, pane) + 7
    click(client, column, 5)
    expected = b"\x1b[<0;7;5M\x1b[<0;7;5m"
    assert received(tmp_path, expected) == expected


def test_program_that_has_asked_in_the_old_way_gets_it_so(
    tmux_server: Server,
    tmux_session: Session,
    tmux_client_factory: ClientFactory,
    tmp_path: Path,
) -> None:
    """One byte each for button, column and row, 32 more than they are."""
    pane = listen(tmux_session, tmp_path, BUTTONS)
    client = tmux_client_factory()
    client.expect_exact(BUTTONS)
    click(client, left_edge(tmux_server, pane) + 7, 5)
    expected = b"\x1b[M" + bytes([32, 32 + 7, 32 + 5])
    expected += b"\x1b[M" + bytes([32 + 3, 32 + 7, 32 + 5])
    assert received(tmp_path, expected) == expected


@pytest.mark.parametrize("mouse", ["off", "on"])
def test_program_that_has_not_asked_gets_no_mouse(
    tmux_server: Server,
    tmux_session: Session,
    tmux_client_factory: ClientFactory,
    tmp_path: Path,
    mouse: str,
) -> None:
    """Keys that come after it arrive alone."""
    tmux_server.cmd("set-option", "-g", "mouse", mouse)
    pane = listen(tmux_session, tmp_path, "")
    client = tmux_client_factory()
    client.expect_exact("listens")
    click(client, left_edge(tmux_server, pane) + 7, 5)
    client.send("after")
    assert received(tmp_path, b"after") == b"after"


def test_click_selects_a_pane_where_tmux_takes_the_mouse(
    tmux_server: Server, tmux_session: Session, tmux_client_factory: ClientFactory
) -> None:
    tmux_server.cmd("set-option", "-g", "mouse", "on")
    other = tmux_session.split(["cat"])
    client = tmux_client_factory()
    client.expect_exact(BUTTONS)
    click(client, left_edge(tmux_server, other) + 7, 5)
    look = ("display-message", "-p", "#{pane_id}")
    other.wait_until(
        lambda: tmux_server.cmd(*look).stdout == [other.id] or None, None, "selected"
    )
