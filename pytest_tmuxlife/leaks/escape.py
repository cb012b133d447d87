"""How a survivor escaped, read from /proc: each way a named predicate."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.marks import MARK
from pytest_tmuxlife.containment.processes import (
    TICK,
    ProcessInfo,
    ProcessTree,
    process_info,
)

_MULTIPLEXERS = ("tmux: server", "screen", "SCREEN", "dtach", "abduco", "zellij")


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known around a survivor when it is judged.

    Attributes:
        tree: The processes as they stood before kill-server.
        supervisor: Pid of the supervisor, where orphans end up.
        server: Pid of the tmux server.
        respawned: Pids that took another's place while it was looked at.
        panes: Ids of panes, also of those that are gone, by the pid of their
            first process.
        strays: Pids that are ours and do not descend from the supervisor.
    """

    tree: ProcessTree
    supervisor: int
    server: int
    respawned: frozenset[int] = frozenset()
    panes: Mapping[int, str] = field(default_factory=dict)
    strays: frozenset[int] = frozenset()

    @property
    def pane_sessions(self) -> set[int]:
        """Unix sessions of the panes: each pane's first process leads one."""
        return {info.sid for info in self.tree.children(self.server)} | {*self.panes}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One survivor with what /proc says of it beyond its `ProcessInfo`.

    Attributes:
        process: The survivor.
        status: Lines of its status file by name.
        environment: What it was started with; None if that cannot be read,
            or was written over by a title of its own.
        is_own_namespace: It is in our PID namespace.
    """

    process: ProcessInfo
    status: dict[str, str]
    environment: dict[str, str] | None
    is_own_namespace: bool

    @property
    def pane(self) -> str | None:
        """Id of the pane that it came from, as far as it can be told."""
        return (self.environment or {}).get("TMUX_PANE")

    def _mask(self, name: str) -> int:
        return int(self.status.get(name, "0"), 16)

    def ignores(self, number: int) -> bool:
        """SigIgn has the signal."""
        return bool(self._mask("SigIgn") >> (number - 1) & 1)

    def catches(self, number: int) -> bool:
        """SigCgt has the signal."""
        return bool(self._mask("SigCgt") >> (number - 1) & 1)

    def blocks(self, number: int) -> bool:
        """SigBlk has the signal."""
        return bool(self._mask("SigBlk") >> (number - 1) & 1)

    @property
    def uid(self) -> int:
        """Its effective user."""
        words = self.status.get("Uid", "").split()
        return int(words[1]) if len(words) > 1 else os.geteuid()


def gather(process: ProcessInfo) -> Evidence:
    """Read what the predicates need."""
    namespace = procfs.link(f"/proc/{process.pid}/ns/pid")
    return Evidence(
        process,
        procfs.status(process.pid),
        _environment(process.pid),
        namespace is None or namespace == procfs.pid_namespace(),
    )


def _environment(pid: int) -> dict[str, str] | None:
    raw = procfs.environment_bytes(pid)
    if raw is None:
        return None
    entries = os.fsdecode(raw).rstrip("\0").split("\0") if raw else []
    if not all("=" in entry for entry in entries):
        # A program that shows a title of its own (setproctitle) took the room.
        return None
    return dict(entry.split("=", 1) for entry in entries)


def user_name(uid: int) -> str:
    """The user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_multiplexer(process: ProcessInfo) -> bool:
    """A server of tmux, screen or their like."""
    return process.name in _MULTIPLEXERS and not _is_on_its_way_to_exec(process)


def _is_on_its_way_to_exec(process: ProcessInfo) -> bool:
    """A server forks what runs in a pane: until its exec that has the same name."""
    now = procfs.stat(process.pid)
    if now is None or now.start_ticks != process.start_ticks:
        return False
    if now.comm != process.name:
        return True
    parent = procfs.stat(now.ppid)
    return now.has_not_execed and parent is not None and parent.comm == process.name


def multiplexer_above(process: ProcessInfo, scene: Scene) -> ProcessInfo | None:
    """The other multiplexer's server that it is below, if there is one."""
    above = scene.tree.processes.get(process.ppid)
    while above is not None and above.pid != scene.server:
        if is_multiplexer(above):
            return above
        above = scene.tree.processes.get(above.ppid)
    return None


def is_born_during_teardown(process: ProcessInfo, scene: Scene) -> bool:
    """It was not there when the tree was noted: not in it, and started after."""
    return (
        process not in scene.tree and process.started_at >= scene.tree.noted_at - TICK
    )


def has_lost_its_leader(process: ProcessInfo) -> bool:
    """The first process of its Unix session is gone."""
    return process.sid != process.pid and procfs.stat(process.sid) is None


def left_its_session(process: ProcessInfo, scene: Scene) -> bool:
    """It is in a Unix session that no pane leads, or has led.

    A daemon stays in the process group of its session's leader; what has
    another group in a session without a leader was a job of a shell.
    """
    if process.sid in scene.pane_sessions:
        return False
    return not (has_lost_its_leader(process) and process.pgid != process.sid)


def is_of_lost_session(evidence: Evidence, scene: Scene) -> bool:
    """Its session's leader is gone, and its pane was never handed out.

    Whether the leader was the pane's own process or an intermediate one of a
    double fork cannot be told any more.
    """
    return (
        evidence.pane is not None
        and evidence.pane not in scene.panes.values()
        and has_lost_its_leader(evidence.process)
    )


def signals_ignored(evidence: Evidence) -> str:
    """Which of HUP and TERM it ignores, in words; else empty."""
    names = [
        f"SIG{name}"
        for name in ("HUP", "TERM")
        if evidence.ignores(getattr(signal, f"SIG{name}"))
    ]
    return "ignores " + " and ".join(names) if names else ""


def has_cleared_its_environment(evidence: Evidence) -> bool:
    """It has no mark, though whoever started it had.

    A fork of this process without exec shows what this one was started with:
    the mark was set later.
    """
    if evidence.environment is None or MARK in evidence.environment:
        return False
    return evidence.environment != _environment(os.getpid())


def why_escaped(evidence: Evidence, scene: Scene) -> list[str]:
    """Every reason that holds for this survivor, the telling ones first."""
    process = evidence.process
    if process.is_zombie:
        return [f"zombie: exited, and {_parent(process)} does not wait for it"]
    if process.pid == scene.server:
        return ["the tmux server did not exit on kill-server"]
    reasons = []
    if process.pid in scene.strays:
        reasons.append(f"no descendant of the server: its parent is {_parent(process)}")
    if process.is_stopped:
        reasons.append("stopped")
    if process.pid in scene.respawned:
        reasons.append("forks itself anew for ever")
    elif process.pid not in scene.strays and is_born_during_teardown(process, scene):
        reasons.append("born during teardown")
    if evidence.uid != os.geteuid():
        reasons.append(f"belongs to user {user_name(evidence.uid)}")
    if not evidence.is_own_namespace:
        reasons.append("in a PID namespace of its own")
    reasons += _escapes_from_hangup(evidence, scene)
    if has_cleared_its_environment(evidence):
        reasons.append("cleared its environment")
    return reasons or ["no reason found: SIGHUP would end it, and it is still there"]


def _parent(process: ProcessInfo) -> str:
    parent = process_info(process.ppid)
    return f"{parent.label} {parent.pid}" if parent else str(process.ppid)


def _escapes_from_hangup(evidence: Evidence, scene: Scene) -> list[str]:
    process = evidence.process
    holder = multiplexer_above(process, scene)
    if is_multiplexer(process):
        return ["another multiplexer's server"]
    if holder is not None:
        return [f"held by another multiplexer's server, {holder.label} {holder.pid}"]
    ignored = signals_ignored(evidence)
    if left_its_session(process, scene):
        away = _how_it_left(evidence, scene)
        return [away, ignored] if ignored else [away]
    reasons = [ignored] if ignored else []
    if evidence.blocks(signal.SIGHUP):
        reasons.append("blocks SIGHUP")
    elif evidence.catches(signal.SIGHUP):
        reasons.append("catches SIGHUP")
    elif process.pgid != process.sid and not evidence.ignores(signal.SIGHUP):
        reasons.append("background group of a shell that does not pass SIGHUP on")
    if outlived_its_pane(process, scene):
        reasons.append("pane process that is still a child of the tmux server")
    return reasons


def outlived_its_pane(process: ProcessInfo, scene: Scene) -> bool:
    """It was a pane's first process, and its pane was gone before the server."""
    noted = scene.tree.processes.get(process.pid, process)
    return noted.ppid == scene.server and noted.terminal is None


def _how_it_left(evidence: Evidence, scene: Scene) -> str:
    process = evidence.process
    if process.sid == process.pid:
        return "own Unix session (setsid)"
    leader = process_info(process.sid)
    if leader is not None:
        return f"in the Unix session of {leader.label} {leader.pid} (setsid)"
    if is_of_lost_session(evidence, scene):
        return "double fork, or a program of a pane that is gone"
    return "double fork into a Unix session of its own"


def advice(why: str) -> str:
    """One line on what to do, from the first reason."""
    for word, text in _ADVICE:
        if word in why:
            return text
    return "end it before the session is killed, and wait until it is gone"


_ADVICE = (
    ("no descendant", "have whoever started it end it: killing the server cannot"),
    ("zombie", "its parent must wait for it (wait, waitpid, Popen.wait)"),
    (
        "did not exit on kill-server",
        "a client that never reads keeps it; end the client",
    ),
    ("multiplexer", "end that server too: kill-session reaches its own alone"),
    ("anew", "end the process that starts it again first, or its whole group"),
    ("teardown", "a clean-up that starts programs must also wait for them"),
    (
        "stopped",
        "send CONT and TERM by pid; a stopped process sees neither HUP nor TERM",
    ),
    ("user", "end it as that user, or as root, by its pid"),
    ("setsid", "keep its pid and end it by that; kill-session cannot reach it"),
    ("double fork", "start it in the foreground, or end it by its pid file"),
    ("SIGHUP and SIGTERM", "end it with SIGKILL, by pid, after it had time to stop"),
    ("SIGHUP", "send it SIGTERM by pid and wait; the hang-up did not end it"),
    ("background", "end it in its shell (kill %1) before the session is killed"),
)
