"""What the helpers stand on: directories, records, messages, /proc, identities."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_tmuxlife.containment import directories, files, kernel, procfs, wire
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.errors import SocketPathTooLong, TmuxLifeError

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give a directory to another user"
)


# -- directories --------------------------------------------------------------


@pytest.mark.parametrize("excess", [1, 17])
def test_a_socket_path_says_how_many_bytes_it_is_too_long(excess: int) -> None:
    """Bytes, not characters, are what a socket address holds."""
    path = "/" + "ü" * 30
    path += "x" * (directories.SOCKET_PATH_LIMIT + excess - len(os.fsencode(path)))
    with pytest.raises(
        SocketPathTooLong, match=f"is {excess} bytes too long"
    ) as raised:
        directories.check_socket_path(path)
    assert raised.value.excess == excess


def test_the_longest_path_that_passes_can_be_bound(tmp_path: Path) -> None:
    """The limit is the kernel's."""
    short = Path(f"/tmp/{os.urandom(4).hex()}")
    path = str(short) + "x" * (directories.SOCKET_PATH_LIMIT - len(str(short)))
    assert directories.check_socket_path(path) == path
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    os.unlink(path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that may hold our root, and does."""
    made = tmp_path / "place"
    made.mkdir(mode=0o700)
    Path(directories.roots([str(made)])[0]).mkdir(mode=0o700)
    return made


def why_unsafe(place: Path) -> str | None:
    [root] = directories.roots([str(place)])
    return directories.why_unsafe_root(root)


def the_root(place: Path) -> Path:
    return Path(directories.roots([str(place)])[0])


def test_a_root_of_our_own_is_safe(place: Path) -> None:
    """And so is one that is still to be made."""
    assert why_unsafe(place) is None
    the_root(place).rmdir()
    assert why_unsafe(place) is None


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o777, 0o701, 0o000, 0o500])
def test_a_root_that_others_may_enter_or_we_may_not_is_refused(
    place: Path, mode: int
) -> None:
    """Its mode is named. One that we may not enter is made under an odd umask."""
    the_root(place).chmod(mode)
    assert why_unsafe(place) == f"has mode {mode:04o}, not 0700"


def test_a_root_that_is_a_link_is_refused(place: Path) -> None:
    """Even to a directory that would do."""
    the_root(place).rename(place / "elsewhere")
    the_root(place).symlink_to(place / "elsewhere")
    assert why_unsafe(place) == "is there and not a directory"


def test_a_root_that_is_a_file_is_refused(place: Path) -> None:
    the_root(place).rmdir()
    the_root(place).touch(mode=0o700)
    assert why_unsafe(place) == "is there and not a directory"


@as_root
def test_a_root_of_another_user_is_refused(place: Path) -> None:
    os.chown(the_root(place), 65534, 65534)
    assert why_unsafe(place) == "belongs to another user"


@as_root
def test_a_root_in_a_directory_of_another_user_is_refused(place: Path) -> None:
    """He could put another in its place."""
    os.chown(place, 65534, 65534)
    assert why_unsafe(place) == "belongs to another user"


def test_a_root_where_others_can_replace_it_is_refused(place: Path) -> None:
    """A directory for all needs the sticky bit, as /tmp has."""
    place.chmod(0o777)
    assert why_unsafe(place) == "others can replace what is in it (no sticky bit)"
    place.chmod(0o777 | stat.S_ISVTX)
    assert why_unsafe(place) is None


def test_the_first_safe_place_is_taken(place: Path, tmp_path: Path) -> None:
    """A place that is missing, or unsafe, is passed over."""
    unsafe = tmp_path / "unsafe"
    unsafe.mkdir()
    unsafe.chmod(0o777)
    candidates = [str(tmp_path / "missing"), str(unsafe), "/tmp"]
    chosen = directories.choose_run_directory(candidates)
    assert os.path.dirname(chosen) == f"/tmp/tmuxlife-{os.geteuid()}"
    assert not os.path.exists(chosen)


def test_without_a_safe_place_every_reason_is_named(tmp_path: Path) -> None:
    """One for each place that was tried."""
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(TmuxLifeError) as raised:
        directories.choose_run_directory(
            [str(tmp_path / name) for name in ("missing", "file", "open")]
        )
    for reason in ("No such file", "Not a directory", "no sticky bit"):
        assert reason in str(raised.value)


def test_a_safe_place_with_too_long_a_path_says_by_how_much(tmp_path: Path) -> None:
    """Rather than that none was found."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir(mode=0o700)
    with pytest.raises(SocketPathTooLong, match=r"is \d+ bytes too long"):
        directories.choose_run_directory([str(deep)])


# -- files --------------------------------------------------------------------


def test_a_tree_is_removed_while_another_removes_it_too(tmp_path: Path) -> None:
    """Whoever finds a part gone already goes on."""
    for number in range(40):
        (tmp_path / "tree" / str(number) / "deep").mkdir(parents=True)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            files.remove_tree(str(tmp_path / "tree"))
            status = 0
        finally:
            os._exit(status)
    files.remove_tree(str(tmp_path / "tree"))
    assert os.waitpid(pid, 0) == (pid, 0)
    assert not (tmp_path / "tree").exists()


def test_a_record_keeps_odd_values(tmp_path: Path) -> None:
    """Blanks, equals signs and bytes that are no text."""
    fields = {"mark": "a=b  c", "path": os.fsdecode(b"/tmp/\xff"), "empty": ""}
    files.write_record(str(tmp_path / "record"), fields)
    assert files.read_record(str(tmp_path / "record")) == fields
    assert files.read_record(str(tmp_path / "none")) == {}


# -- messages -----------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_messages_arrive_whole_from_any_pieces(size: int) -> None:
    """In order, with bytes, None and nesting kept."""
    messages = [(n, "name", {"x": [b"\0\xff", None, 1.5, "ü" * n]}) for n in range(20)]
    stream = b"".join(wire.pack(message) for message in messages)
    inbox = wire.Inbox()
    pieces = (stream[start : start + size] for start in range(0, len(stream), size))
    assert [message for piece in pieces for message in inbox.feed(piece)] == messages


def test_a_descriptor_travels_with_its_message() -> None:
    """It is closed at exec in the receiver."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        read_end, write_end = os.pipe()
        wire.send_with_descriptor(ours, ("take",), write_end)
        os.close(write_end)
        data, [received] = wire.receive_with_descriptors(theirs)
        assert wire.Inbox().feed(data) == [("take",)]
        assert not os.get_inheritable(received)
        os.write(received, b"x")
        os.close(received)
        assert os.read(read_end, 2) == b"x"
        os.close(read_end)


# -- /proc --------------------------------------------------------------------


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[bytes]]:
    """A shell that does what it reads and ends with the test."""
    process = subprocess.Popen(
        ["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    with process:
        yield process
        process.kill()


def tell(shell: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Have the shell run a line that prints one line, and return that."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(line + b"\n")
    return shell.stdout.readline()


@pytest.mark.parametrize(
    "name", [b"a) Z 1 2 (b", b") R (", b"x\ny", b"\xff\xfe", b"a b", b"Uid:\t7"]
)
def test_a_process_with_an_odd_name_is_read_rightly(
    shell: subprocess.Popen[bytes], name: bytes
) -> None:
    """Blanks, parentheses, line breaks and bytes that are no text."""
    octal = "".join(f"\\{byte:03o}" for byte in name).encode()
    tell(shell, b"printf '" + octal + b"' > /proc/$$/comm; echo")
    found = procfs.stat(shell.pid)
    assert found is not None
    assert os.fsencode(found.comm) == name
    assert (found.pid, found.ppid) == (shell.pid, os.getpid())
    assert found.state in "SR"
    assert procfs.status(shell.pid)["Uid"].split()[0] == str(os.getuid())


def test_what_is_gone_reads_as_nothing() -> None:
    """No reader raises for a process that has just exited."""
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    assert procfs.stat(gone.pid) is None
    assert procfs.status(gone.pid) == {}
    assert procfs.command_line(gone.pid) == []
    assert procfs.environment(gone.pid) == {}
    assert procfs.children(gone.pid) == []
    assert kernel.open_pidfd(gone.pid) is None


def test_arguments_and_environment_are_bytes() -> None:
    """They come back as they went in, with surrogates for what is no text."""
    child = subprocess.Popen(
        [b"/bin/sh", b"-c", b"echo; read x", b"\xfe", b""],
        env={b"X": b"a=b \xff"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        # exec is over before the kernel shows the arguments.
        assert child.stdout is not None
        child.stdout.readline()
        words = [os.fsencode(word) for word in procfs.command_line(child.pid)]
        environment = procfs.environment(child.pid)
    assert words[:4] == [b"/bin/sh", b"-c", b"echo; read x", b"\xfe"]
    assert os.fsencode(environment["X"]) == b"a=b \xff"


def test_children_of_every_thread_are_found() -> None:
    """A process is listed under the thread that forked it."""
    started: list[subprocess.Popen[bytes]] = []
    ready, leave = threading.Event(), threading.Event()

    def start() -> None:
        started.append(subprocess.Popen(["/bin/sleep", "1000"]))
        ready.set()
        leave.wait()

    thread = threading.Thread(target=start)
    thread.start()
    ready.wait()
    try:
        assert started[0].pid in procfs.children(os.getpid())
        assert (started[0].pid, os.getpid()) in procfs.descendants(os.getpid())
    finally:
        leave.set()
        thread.join()
        started[0].kill()
        started[0].wait()


# -- identity -----------------------------------------------------------------


def identity_of(pid: int) -> Identity:
    return Identity(pid, procfs.start_ticks(pid) or 0)


def test_an_identity_is_alive_until_it_exits(shell: subprocess.Popen[bytes]) -> None:
    """A zombie is not alive, nor is what was reaped."""
    who = identity_of(shell.pid)
    alive = [who.is_alive]
    shell.kill()
    os.waitid(os.P_PID, shell.pid, os.WEXITED | os.WNOWAIT)
    alive.append(who.is_alive)
    shell.wait()
    alive.append(who.is_alive)
    assert alive == [True, False, False]
    assert who.open() is None


def test_another_process_with_the_same_pid_is_not_opened() -> None:
    """Its start time differs."""
    me = identity_of(os.getpid())
    other = Identity(me.pid, me.start_ticks - 1)
    assert not other.is_alive
    assert other.open() is None


@pytest.mark.parametrize("text", ["", "1", "1 2 3", "a b", "-1 5", "1 None", "1.0 2"])
def test_rubbish_is_no_identity(text: str) -> None:
    assert Identity.parse(text) is None


def test_message_that_comes_between_peek_and_drop_is_not_lost() -> None:
    """Another thread reads while this one takes in what is there."""
    inbox = wire.Inbox()
    inbox.chunks.append(wire.pack("first"))
    assert inbox.peek() == ["first"]
    inbox.chunks.append(wire.pack("second"))
    inbox.drop()
    assert inbox.peek() == ["second"]
