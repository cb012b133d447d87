"""Misbehaviours one by one, in programs of the tests' own."""

from __future__ import annotations

from kinds.model import Kind

SETSID = "own Unix session (setsid)"
IN_SESSION = "in the Unix session of misbehaves N (setsid)"
DOUBLE_FORK = "double fork into a Unix session of its own"
BACKGROUND = "background group of a shell that does not pass SIGHUP on"
LINE = "$PYTHON $PROGRAMS/misbehaves.py"


def _kind(name: str, actions: str, *whys: str, holds: str = "") -> Kind:
    """Of ``misbehaves.py``, which does the actions in their order."""
    return Kind(
        name,
        f"{LINE} {actions}",
        survivors=tuple(("misbehaves", why) for why in whys),
        holds=(holds,) if holds else (),
    )


def _daemon(name: str, actions: str, holds: str = "") -> Kind:
    return _kind(name, f"fork setsid {actions}", SETSID, holds=holds)


_SIGNALS = (
    _kind("ignores HUP", "ignore=HUP", "ignores SIGHUP"),
    _kind(
        "ignores HUP and TERM", "ignore=HUP ignore=TERM", "ignores SIGHUP and SIGTERM"
    ),
    _kind("blocks HUP", "block=HUP", "blocks SIGHUP"),
    _kind("catches HUP", "catch=HUP", "catches SIGHUP"),
    _kind("leaves its Unix session", "fork setsid", SETSID),
    _kind(
        "leaves its Unix session and ignores TERM",
        "fork setsid ignore=TERM",
        f"{SETSID}, ignores SIGTERM",
    ),
    _kind("forks at TERM", "ignore=HUP fork_at=TERM", "ignores SIGHUP"),
    _kind(
        "forks at HUP",
        "fork_at=HUP",
        "born during teardown, catches SIGHUP",
    ),
    _kind("forks 1 s after HUP", "late=1", "born during teardown, blocks SIGHUP"),
)
_FORKS = (
    _kind("double fork", "fork setsid fork", DOUBLE_FORK),
    _kind("double fork by the book", "fork setsid fork chdir=/ close", DOUBLE_FORK),
    _kind("triple fork", "fork setsid fork setsid fork", DOUBLE_FORK),
    _kind("orphan in a group of its own", "fork group", BACKGROUND),
    _kind("orphan that ignores HUP", "fork ignore=HUP", "ignores SIGHUP"),
    _kind("child of a daemon", "fork setsid child", SETSID, IN_SESSION),
    _kind("twenty children", "fork setsid many=20", SETSID, *[IN_SESSION] * 20),
    _kind(
        "subreaper in between",
        "fork setsid subreaper orphan",
        SETSID,
        IN_SESSION,
    ),
    _kind("stopped child", "child_stops", f"stopped, {SETSID}"),
    _kind(
        "traced child",
        "ignore=HUP child_traced",
        "ignores SIGHUP",
        "stopped, ignores SIGHUP",
    ),
    Kind(
        "zombie",
        f"{LINE} ignore=HUP child_zombie",
        survivors=(
            ("misbehaves", "ignores SIGHUP"),
            # It has no arguments any more that would tell the script.
            ("python*", "zombie: exited, and misbehaves N does not wait for it"),
        ),
        missed_by=("cgroup", "marker"),
    ),
    Kind(
        "first thread has exited",
        "$PYTHON $PROGRAMS/loses_first_thread.py",
        survivors=(("loses_first_thread", "ignores SIGHUP"),),
        holds=("$PWD/agent.log",),
        missed_by=("marker",),
    ),
)
_DISGUISES = (
    Kind(
        "posix_spawn",
        f"{LINE} spawn",
        survivors=(("sleep", SETSID),),
    ),
    Kind(
        "another argv[0]",
        f"{LINE} fork setsid execute=[kworker/0:1]",
        survivors=(("sleep", SETSID),),
    ),
    Kind(
        "another name",
        f"{LINE} fork setsid 'rename=a) S 1 (b'",
        survivors=(("a) S 1 (b", SETSID),),
    ),
    Kind(
        "cleared environment",
        f'env -i READY="$READY" setsid {LINE} &',
        survivors=(("misbehaves", f"{SETSID}, cleared its environment"),),
        missed_by=("marker",),
    ),
    Kind(
        "environment written over",
        f"{LINE} fork setsid overwrite_environment",
        survivors=(("misbehaves", SETSID),),
        missed_by=("marker",),
    ),
    Kind(
        "not dumpable",
        f"{LINE} fork setsid secretive",
        survivors=(("misbehaves", SETSID),),
        secretive=True,
    ),
    Kind(
        "another user",
        f"{LINE} user=65534 ignore=HUP",
        root=True,
        survivors=(("misbehaves", "belongs to user nobody, ignores SIGHUP"),),
    ),
)
_DESCRIPTORS = (
    _daemon("log file", "log=agent.log", "$PWD/agent.log"),
    _daemon("deleted file", "delete=gone.log", "$PWD/gone.log (deleted)"),
    _daemon("memory file", "memory=frames", "memfd frames"),
    _daemon("TCP listener", "listen_tcp=$HOST", "listens on $HOST:7999"),
    _daemon("UDP receiver", "receive_udp=$HOST", "receives on udp $HOST:7999"),
    _daemon("Unix listener", "listen=agent.sock", "listens on agent.sock"),
    _daemon("abstract Unix listener", "listen=@agent", "listens on @agent*"),
    _daemon("Unix receiver", "receive=log.sock", "receives on log.sock"),
    _daemon("named pipe", "mkfifo=orders", "named pipe $PWD/orders"),
    _daemon("inotify instance", "inotify=.", "inotify, 1 watched"),
    _daemon("terminal of its own", "terminal", "master of /dev/pts/*"),
    Kind(
        "pipe between two",
        f"{LINE} fork setsid pipe_to_child",
        survivors=(("misbehaves", SETSID), ("misbehaves", IN_SESSION)),
        holds=("pipe to misbehaves *", "pipe from misbehaves *"),
    ),
)
KINDS: tuple[Kind, ...] = (*_SIGNALS, *_FORKS, *_DISGUISES, *_DESCRIPTORS)
