"""What a test leaves in the pytest process itself, one kind at a time."""

from __future__ import annotations

from kinds.model import Holding, Left

OPEN, NO_PLACE = "still open", "still open, place unknown"
RUNS = "still runs, a child of pytest"
BY_BASELINE = ("baseline",)
BY_LINEAGE = ("lineage",)
BY_SOCKET_TOO = ("lineage", "socket")


def _opened(
    name: str, opens: str, target: str, closes: str = "it.close()", number: int = 1
) -> Holding:
    """Descriptors whose place is known."""
    left = Left(target, OPEN, BY_BASELINE, has_place=True)
    return Holding(name, opens, closes, (left,) * number)


def _unplaced(
    name: str, opens: str, *targets: str, closes: str = "os.close(it)"
) -> Holding:
    """Descriptors that are made without an audit event."""
    left = (Left(name, NO_PLACE, BY_BASELINE, has_place=False) for name in targets)
    return Holding(name, opens, closes, tuple(left))


def _child(name: str, opens: str, *, closes: str, label: str = "sleep N") -> Holding:
    left = Left(label, RUNS, BY_LINEAGE, has_place=True)
    return Holding(name, opens, closes, (left,))


def _orphan(name: str, opens: str, label: str, why: str) -> Holding:
    left = Left(label, why, BY_LINEAGE, has_place=False)
    return Holding(name, opens, "end_orphan(it)", (left,))


_FILES = (
    _opened(
        "file",
        "it = keep(open(tmp_path / 'agent.log', 'w'))",
        "descriptor Nw $TMP/agent.log",
    ),
    _opened(
        "log handler",
        "it = keep(logging.FileHandler(tmp_path / 'run.log'))",
        "descriptor Nw $TMP/run.log",
    ),
    _opened(
        "SQLite database",
        "it = keep(sqlite3.connect(tmp_path / 'base')); it.execute('vacuum')",
        "descriptor Nrw $TMP/base",
    ),
    _opened(
        "temporary file",
        "it = keep(tempfile.TemporaryFile(dir=tmp_path))",
        "descriptor Nrw $TMP/* (deleted)",
    ),
    _opened(
        "deleted file",
        "it = keep(open(tmp_path / 'gone', 'w')); os.unlink(tmp_path / 'gone')",
        "descriptor Nw $TMP/gone (deleted)",
    ),
    _opened(
        "memory map of a file",
        "file = open(tmp_path / 'data', 'wb+', 0); file.write(b'x');"
        " it = keep(mmap.mmap(file.fileno(), 0)); file.close()",
        "descriptor Nrw $TMP/data",
    ),
    _opened(
        "directory",
        "it = os.open(tmp_path, os.O_RDONLY)",
        "descriptor Nr directory $TMP",
        closes="os.close(it)",
    ),
    _opened(
        "device",
        "it = keep(open('/dev/zero', 'rb'))",
        "descriptor Nr device /dev/zero",
    ),
    _opened(
        "named pipe",
        "os.mkfifo(tmp_path / 'orders'); it = os.open(tmp_path / 'orders', os.O_RDWR)",
        "descriptor Nrw FIFO $TMP/orders",
        closes="os.close(it)",
    ),
    _unplaced(
        "listing of a directory",
        "it = keep(os.scandir(tmp_path))",
        "descriptor Nr directory $TMP",
        closes="it.close()",
    ),
)
_SOCKETS = (
    _opened("socket", "it = keep(socket.socket())", "socket N IPvN stream socket*"),
    _opened(
        "TCP listener",
        "it = keep(socket.create_server(('127.0.0.1', 0)))",
        "socket N listens on N.N.N.N:N",
    ),
    _opened(
        "TCP connection",
        "server = socket.create_server(('127.0.0.1', 0));"
        " it = keep([socket.create_connection(server.getsockname())]);"
        " it.append(server.accept()[0]); server.close()",
        "socket N IPvN stream socket N.N.N.N:N to N.N.N.N:N",
        closes="it[0].close(); it[1].close()",
        number=2,
    ),
    _opened(
        "UDP receiver",
        "it = keep(socket.socket(type=socket.SOCK_DGRAM)); it.bind(('127.0.0.1', 0))",
        "socket N IPvN datagram socket N.N.N.N:N",
    ),
    _opened(
        "abstract Unix listener",
        "it = keep(socket.socket(socket.AF_UNIX)); it.bind(''); it.listen()",
        "socket N listens on @*",
    ),
    _opened(
        "socket pair",
        "it = keep(socket.socketpair())",
        "socket N UNIX stream socket*",
        closes="it[0].close(); it[1].close()",
        number=2,
    ),
    _opened(
        "netlink socket",
        "it = keep(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))",
        "socket N netlink type N socket*",
    ),
    Holding(
        "event loop",
        "it = keep(asyncio.new_event_loop())",
        "it.close()",
        (
            Left("socket N UNIX stream socket*", OPEN, BY_BASELINE, has_place=True),
            Left("socket N UNIX stream socket*", OPEN, BY_BASELINE, has_place=True),
            Left("descriptor Nrw epoll", NO_PLACE, BY_BASELINE, has_place=False),
        ),
    ),
)
_WITHOUT_EVENT = (
    _unplaced(
        "pipe",
        "it = os.pipe()",
        "descriptor Nr pipe (read end)",
        "descriptor Nw pipe (write end)",
        closes="os.close(it[0]); os.close(it[1])",
    ),
    _unplaced("duplicate", "it = os.dup(0)", "descriptor N* device /dev/null"),
    _unplaced(
        "epoll",
        "it = keep(select.epoll())",
        "descriptor Nrw epoll",
        closes="it.close()",
    ),
    _unplaced(
        "selector",
        "it = keep(selectors.DefaultSelector())",
        "descriptor Nrw epoll",
        closes="it.close()",
    ),
    _unplaced("eventfd", "it = os.eventfd(0)", "descriptor Nrw eventfd"),
    _unplaced(
        "memfd", "it = os.memfd_create('scratch')", "descriptor Nrw memfd scratch"
    ),
    _unplaced(
        "pseudoterminal",
        "it = os.openpty()",
        "descriptor Nrw pseudoterminal /dev/pts/*",
        "descriptor Nrw pseudoterminal /dev/ptmx",
        closes="os.close(it[0]); os.close(it[1])",
    ),
    _unplaced(
        "pidfd", "it = os.pidfd_open(os.getpid())", "descriptor N* pidfd of process N"
    ),
    _unplaced("inotify", "it = LIBC.inotify_init1(0)", "descriptor Nr inotify"),
    _unplaced("timer", "it = LIBC.timerfd_create(1, 0)", "descriptor N* timerfd"),
)
_MEMORY = (
    Holding(
        "shared memory",
        "it = keep(shared_memory.SharedMemory(create=True, size=8)); it.close()",
        "it.unlink()",
        (
            Left(
                "shared memory /dev/shm/*", "not unlinked", BY_BASELINE, has_place=True
            ),
        ),
        outlives_pytest=True,
    ),
    Holding(
        "file of /dev/shm",
        "it = in_memory('tmuxlife-tests'); open(it, 'w').close()",
        "os.unlink(it)",
        (
            Left(
                "shared memory /dev/shm/tmuxlife-tests-N",
                "not unlinked",
                BY_BASELINE,
                has_place=True,
            ),
        ),
        outlives_pytest=True,
    ),
    Holding(
        "System V segment",
        "it = make_segment()",
        "remove_segment(it)",
        (
            Left(
                "shared memory System V segment N",
                "not removed",
                BY_BASELINE,
                has_place=False,
            ),
        ),
        outlives_pytest=True,
    ),
)
_CHILDREN = (
    _child(
        "child",
        "it = keep(subprocess.Popen(['sleep', '1000'])); note(it.pid)",
        closes="it.kill(); it.wait()",
    ),
    _child(
        "spawned child",
        "it = note(os.posix_spawn('/bin/sleep', ['sleep', '1000'], os.environ))",
        closes="end(it)",
    ),
    _child(
        "forked child", "it = note(os.fork() or stay())", closes="end(it)", label="*"
    ),
    Holding(
        "child with a pipe",
        "it = keep(subprocess.Popen(['sleep', '1000'], stdout=PIPE)); note(it.pid)",
        "it.kill(); it.communicate()",
        (
            Left("sleep N", RUNS, BY_LINEAGE, has_place=True),
            Left(
                "descriptor Nr pipe (read end)", NO_PLACE, BY_BASELINE, has_place=False
            ),
        ),
    ),
    Holding(
        "multiprocessing",
        "it = keep(forked_process()); it.start(); note(it.pid)",
        "it.terminate(); it.join(); it.close()",
        (
            Left("*", RUNS, BY_LINEAGE, has_place=True),
            Left(
                "descriptor Nr pipe (read end)", NO_PLACE, BY_BASELINE, has_place=False
            ),
            Left(
                "descriptor Nw pipe (write end)", NO_PLACE, BY_BASELINE, has_place=False
            ),
        ),
    ),
    Holding(
        "child of a child",
        "it = keep(subprocess.Popen(['sh', '-c', FAMILY], stdout=PIPE));"
        " keep(sleeping(int(it.stdout.readline()))); note(it.pid); it.stdout.close()",
        "it.terminate(); it.wait(); end_orphan(KEPT[-1])",
        (
            Left("sh N", RUNS, BY_LINEAGE, has_place=True),
            Left("sleep N", "below sh N", BY_LINEAGE, has_place=False),
        ),
    ),
    Holding(
        "zombie",
        "it = keep(subprocess.Popen(['true'])); os.waitid(os.P_PID, it.pid, EXITED)",
        "it.wait()",
        (
            Left(
                "true N",
                "zombie: exited, and * does not wait for it",
                BY_LINEAGE,
                has_place=True,
            ),
        ),
    ),
)
_ORPHANS = (
    _orphan("orphan", "it = orphan()", "*", "orphan: what started it has exited"),
    _orphan("double fork", "it = orphan(os.setsid)", "*", "own Unix session (setsid)"),
    _orphan(
        "orphan of a shell",
        "it = orphan_of_program('setsid', 'sleep', '1000')",
        "sleep N",
        "own Unix session (setsid)",
    ),
    _orphan(
        "orphan with no environment",
        "it = orphan_of_program('env', '-i', 'setsid', 'sleep', '1000')",
        "sleep N",
        "own Unix session (setsid), cleared its environment",
    ),
)


def _server(name: str, options: str) -> Holding:
    return Holding(
        name,
        f"start_tmux({options})",
        f"subprocess.run(['tmux', {options}{', ' if options else ''}'kill-server'])",
        (
            Left(
                "tmux: server N",
                "started by the tested code, listens on *",
                BY_SOCKET_TOO,
                has_place=False,
            ),
            Left("sleep N", "in tmux server N", BY_LINEAGE, has_place=False),
        ),
    )


_SERVERS = (_server("tmux server", ""), _server("tmux server by name", "'-L', 'other'"))
HOLDINGS: tuple[Holding, ...] = (
    *_FILES,
    *_SOCKETS,
    *_WITHOUT_EVENT,
    *_MEMORY,
    *_CHILDREN,
    *_ORPHANS,
    *_SERVERS,
)
