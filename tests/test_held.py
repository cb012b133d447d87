"""What a survivor holds open is named so that one can go and look."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_tmuxlife.containment.processes import ProcessInfo, process_info
from pytest_tmuxlife.leaks.held import held_by
from pytest_tmuxlife.leaks.leak import Descriptor
from pytest_tmuxlife.leaks.sockets import waiting_sockets

Hold = Callable[..., ProcessInfo]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    """``hold(source)``: a process in tmp_path that has run it, and waits.

    Its standard output is a pipe to this one.
    """
    with ExitStack() as stack:

        def hold(source: str, **given: object) -> ProcessInfo:
            program = (
                "import os, signal, socket\n"
                f"{textwrap.dedent(source)}\n"
                "os.write(1, b'ready')\n"
                "signal.pause()\n"
            )
            child = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", program],
                    cwd=tmp_path,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    **given,  # type: ignore[call-overload]
                )
            )
            stack.callback(child.kill)
            assert child.stdout.read(5) == b"ready"
            found = process_info(child.pid)
            assert found is not None
            return found

        yield hold


def held(process: ProcessInfo) -> list[str]:
    """The targets that are named, but for the pipe to this process."""
    return [one.target for one in descriptors(process) if one.number != 1]


def descriptors(process: ProcessInfo) -> tuple[Descriptor, ...]:
    return held_by([process])[process.pid]


# -- sockets --------------------------------------------------------------------


def has_ipv6() -> bool:
    """There is a loopback address of version 6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("family", "host", "shown"),
    [
        ("AF_INET", "127.0.0.1", "127.0.0.1"),
        pytest.param(
            *("AF_INET6", "::1", "[::1]"),
            marks=pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here"),
        ),
    ],
)
def test_tcp_listener_is_named_with_its_address(
    hold: Hold, tmp_path: Path, family: str, host: str, shown: str
) -> None:
    process = hold(
        f"""
        keep = socket.create_server(({host!r}, 0), family=socket.{family})
        open("port", "w").write(str(keep.getsockname()[1]))
        """
    )
    port = (tmp_path / "port").read_text()
    assert held(process) == [f"listens on {shown}:{port}"]


def test_udp_socket_that_is_bound_is_named_with_its_address(
    hold: Hold, tmp_path: Path
) -> None:
    process = hold(
        """
        keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        keep.bind(("127.0.0.1", 0))
        open("port", "w").write(str(keep.getsockname()[1]))
        """
    )
    port = (tmp_path / "port").read_text()
    assert held(process) == [f"receives on udp 127.0.0.1:{port}"]


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [
        ("STREAM", "a b.sock", "listens on a b.sock"),
        ("SEQPACKET", "seq.sock", "listens on seq.sock"),
        ("DGRAM", "log", "receives on log"),
    ],
)
def test_unix_socket_that_waits_is_named_with_its_path(
    hold: Hold, kind: str, name: str, shown: str
) -> None:
    process = hold(
        f"""
        keep = socket.socket(socket.AF_UNIX, socket.SOCK_{kind})
        keep.bind({name!r})
        if keep.type != socket.SOCK_DGRAM:
            keep.listen()
        """
    )
    assert held(process) == [shown]


def test_abstract_unix_listener_is_named(hold: Hold, tmp_path: Path) -> None:
    process = hold(
        """
        keep = socket.socket(socket.AF_UNIX)
        keep.bind("")
        keep.listen()
        open("name", "wb").write(keep.getsockname()[1:])
        """
    )
    assert held(process) == [f"listens on @{(tmp_path / 'name').read_text()}"]


def test_sockets_that_wait_for_nobody_are_not_named(hold: Hold) -> None:
    """A pair, one that is not bound, and a connection of the process with itself."""
    process = hold(
        """
        keep = [*socket.socketpair(), socket.socket(), socket.socket(socket.AF_UNIX)]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            keep.append(socket.create_connection(listener.getsockname()))
            keep.append(listener.accept()[0])
        """
    )
    assert held(process) == []


def test_sockets_of_a_process_that_is_gone_are_none() -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    assert waiting_sockets(f"/proc/{gone.pid}") == {}


# -- files ----------------------------------------------------------------------


def test_file_that_is_written_is_named_and_one_that_is_read_is_not(
    hold: Hold, tmp_path: Path
) -> None:
    process = hold("keep = [open('log', 'w'), open('log'), open('/dev/null', 'w')]")
    assert held(process) == [f"{tmp_path}/log"]
    assert descriptors(process)[-1].mode == "w"


def test_deleted_file_is_named_even_if_it_is_only_read(
    hold: Hold, tmp_path: Path
) -> None:
    (tmp_path / "log").touch()
    process = hold("keep = open('log'); os.unlink('log')")
    assert held(process) == [f"{tmp_path}/log (deleted)"]
    assert descriptors(process)[-1].mode == "r"


def test_memory_file_is_named_by_what_its_maker_called_it(hold: Hold) -> None:
    assert held(hold("keep = os.memfd_create('frames')")) == ["memfd frames"]


def test_named_pipe_is_named(hold: Hold, tmp_path: Path) -> None:
    process = hold("os.mkfifo('orders'); keep = os.open('orders', os.O_RDWR)")
    assert held(process) == [f"named pipe {tmp_path}/orders"]


def test_inotify_instance_says_how_much_it_watches(hold: Hold) -> None:
    """Few of them fit: 128 for each user by default."""
    process = hold(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        keep = libc.inotify_init1(0)
        libc.inotify_add_watch(keep, b"/tmp", 2)
        libc.inotify_add_watch(keep, b"/", 2)
        """
    )
    assert held(process) == ["inotify, 2 watched"]


def test_terminal_is_named_at_both_of_its_ends(hold: Hold) -> None:
    process = hold("master, terminal = os.openpty()")
    master, terminal = held(process)
    assert terminal.startswith("/dev/pts/")
    assert master == f"master of {terminal}"


def test_terminal_whose_master_is_gone_is_deleted(hold: Hold) -> None:
    process = hold("master, terminal = os.openpty(); os.close(master)")
    (terminal,) = held(process)
    assert terminal.startswith("/dev/pts/")
    assert terminal.endswith(" (deleted)")


# -- pipes ----------------------------------------------------------------------


def test_pipe_to_this_process_is_named(hold: Hold) -> None:
    (found,) = descriptors(hold(""))
    assert str(found) == f"1w pipe to pytest {os.getpid()}"


def test_pipe_between_two_survivors_names_each_the_other(hold: Hold) -> None:
    reading, writing = os.pipe()
    reader = hold(f"os.close({writing})", pass_fds=(reading, writing))
    writer = hold(f"os.close({reading})", pass_fds=(reading, writing))
    os.close(reading)
    os.close(writing)
    found = held_by([reader, writer])
    assert f"pipe from {writer.label} {writer.pid}" in [
        one.target for one in found[reader.pid]
    ]
    assert f"pipe to {reader.label} {reader.pid}" in [
        one.target for one in found[writer.pid]
    ]


def test_pipe_that_a_program_keeps_to_itself_is_not_named(hold: Hold) -> None:
    assert held(hold("keep = os.pipe()")) == []


# -- many -----------------------------------------------------------------------


def test_listener_is_named_however_many_files_are_open_before_it(hold: Hold) -> None:
    """Eight are named, by number, and the listener is one of them."""
    process = hold(
        """
        keep = [open(f"log{number}", "w") for number in range(20)]
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("control")
        listener.listen()
        """
    )
    found = descriptors(process)
    assert len(found) == 8
    assert found[-1].target == "listens on control"
    assert [one.number for one in found] == sorted(one.number for one in found)


def test_nothing_is_said_of_a_process_that_is_gone() -> None:
    with subprocess.Popen(["true"]) as child:
        gone = process_info(child.pid)
    assert gone is not None
    assert held_by([gone]) == {gone.pid: ()}
