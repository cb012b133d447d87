"""The verdict on one tmux server. Knows no pytest and no pane.

Emptiness is decided by the supervisor's waitid alone; /proc only describes
what is left. A clean server costs one look; only a leak pays the grace.
"""

from __future__ import annotations

import select
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pytest_tmuxlife.clock import Deadline, backoff
from pytest_tmuxlife.containment.processes import (
    ProcessInfo,
    ProcessTree,
)
from pytest_tmuxlife.containment.supervisor import Holding, Supervisor
from pytest_tmuxlife.errors import ReaperDied
from pytest_tmuxlife.leaks.escape import Scene
from pytest_tmuxlife.leaks.growth import Identity, identity
from pytest_tmuxlife.leaks.model import Verdict
from pytest_tmuxlife.leaks.rules import Permission, Rule, permission_for
from pytest_tmuxlife.leaks.sight import Sight
from pytest_tmuxlife.leaks.survivors import (
    UNSEEN,
    describe,
    look_over_time,
    steady_look,
)

# A tmux server with nothing in its way is gone in 2 ms.
SERVER_LIMIT = 1.0


def end_and_judge(
    supervisor: Supervisor,
    *,
    server_pid: int,
    grace: float,
    rules: Sequence[Rule] = (),
    limited_by: str = "",
    tree: ProcessTree | None = None,
    pane_ids: Mapping[int, str] = MappingProxyType({}),
) -> tuple[Verdict, BaseException | None]:
    """End the tmux server and say what outlived it. Kills nothing else.

    Args:
        supervisor: Holds the server.
        server_pid: Pid of the server, 0 if none was started.
        grace: Seconds in which what is on its way out may go.
        rules: What may stay.
        limited_by: Why *grace* is shorter than it should be, for the report.
        tree: The processes as `begin_end` noted them, if it was called.
        pane_ids: Names of panes by the pid of their first process.

    Returns:
        The verdict, and what cut the wait short (a time-out that another
        plugin raises in the middle, C-c): the caller raises that again once
        the verdict is in safety.

    Raises:
        ReaperDied: The supervisor is gone.
    """
    if tree is None:
        tree = supervisor.note_tree()
    deadline = Deadline(grace)
    interruption: BaseException | None = None
    try:
        holding = _end(supervisor, tree, deadline, rules)
    except ReaperDied:
        raise
    except BaseException as error:
        interruption = error
        limited_by = f"cut short by {type(error).__name__}"
        holding = supervisor.look()
    verdict = Verdict(
        server_pid,
        deadline.elapsed,
        tree,
        statuses=holding.statuses,
        pane_ids=pane_ids,
        limited_by=limited_by,
    )
    if not holding.empty:
        verdict = _judge(supervisor, verdict, rules)
    return verdict, interruption


def begin_end(supervisor: Supervisor) -> ProcessTree:
    """Note the tree and signal the server, without waiting.

    For several servers, so that the grace of one is that of all.
    """
    tree = supervisor.note_tree()
    supervisor.end(0.0, server_limit=SERVER_LIMIT)
    return tree


def _end(
    supervisor: Supervisor,
    tree: ProcessTree,
    deadline: Deadline,
    rules: Sequence[Rule],
) -> Holding:
    server_limit = min(SERVER_LIMIT, deadline.timeout / 2)
    if not any(permission_for(rules, info) for info in tree.processes.values()):
        return supervisor.end(
            deadline.remaining, server_limit=server_limit, release=True
        )
    # Something that may stay is there: no longer than until only that is left.
    for first, pause in enumerate(backoff(0.002, 0.1)):
        holding = supervisor.end(
            min(pause, deadline.remaining),
            server_limit=max(0.0, server_limit - deadline.elapsed),
            signal_server=first == 0,
        )
        if holding.empty or deadline.expired:
            return holding
        there = steady_look(supervisor.pid, holding.strays).processes.values()
        if there and all(permission_for(rules, info) for info in there):
            return holding
    raise AssertionError("backoff never ends")


def _judge(supervisor: Supervisor, verdict: Verdict, rules: Sequence[Rule]) -> Verdict:
    holding = supervisor.look(marked=True)
    now, respawned = look_over_time(supervisor.pid, verdict.tree, holding.strays)
    if not now.processes:
        if supervisor.look().empty:
            return verdict
        return replace(verdict, leaks=(UNSEEN,))
    scene = Scene(
        verdict.tree,
        supervisor.pid,
        verdict.server_pid,
        frozenset(respawned),
        verdict.pane_ids,
        _never_below(supervisor, holding),
    )
    sight = Sight.of(supervisor, holding, now)
    allowed: list[tuple[ProcessInfo, Permission]] = []
    accused: list[ProcessInfo] = []
    for info in now.processes.values():
        if _is_unreaped_by_others(info, now):
            continue
        permission = permission_for(rules, info)
        if permission is None:
            accused.append(info)
        else:
            allowed.append((info, permission))
    return replace(
        verdict, leaks=tuple(describe(accused, scene, sight)), ignored=tuple(allowed)
    )


def find_unaccounted(
    supervisor: Supervisor,
    *,
    server_pid: int,
    pane_pids: set[int],
    grace: float,
    rules: Sequence[Rule] = (),
    pane_ids: Mapping[int, str] = MappingProxyType({}),
    besides: Container[Identity] = (),
) -> Verdict:
    """What no living pane or job accounts for, while the server goes on.

    Orphans that the supervisor has adopted, and former pane processes that
    are still children of the tmux server, each with all below.

    Args:
        supervisor: Holds the server.
        server_pid: Pid of the tmux server.
        pane_pids: Pids of the panes' first processes, as tmux names them.
        grace: Seconds in which what is on its way out may go.
        rules: What may stay.
        pane_ids: Names of panes, gone ones too, by the pid of their first
            process.
        besides: Processes that were there before, by pid and start.
    """
    deadline = Deadline(grace)
    for pause in backoff(0.002, 0.1):
        holding = supervisor.look()
        tree = steady_look(supervisor.pid, holding.strays)
        accused = _unaccounted(tree, server_pid, pane_pids)
        accused = [
            info
            for info in accused
            if identity(info) not in besides and permission_for(rules, info) is None
        ]
        if not accused or deadline.expired:
            break
        select.select([], [], [], min(pause, deadline.remaining))
    strays = _never_below(supervisor, holding)
    scene = Scene(tree, supervisor.pid, server_pid, panes=pane_ids, strays=strays)
    sight = Sight.of(supervisor, holding, tree)
    return Verdict(
        server_pid, deadline.elapsed, tree, tuple(describe(accused, scene, sight))
    )


def _is_unreaped_by_others(process: ProcessInfo, tree: ProcessTree) -> bool:
    """It has exited, and its parent, who is to wait for it, is none of ours.

    Without a subreaper that is init, and that of a container may never wait.
    """
    above = tree.processes.get(process.ppid)
    return process.is_zombie and above is None and process.ppid != tree.root


def _never_below(supervisor: Supervisor, holding: Holding) -> frozenset[int]:
    """Strays that an older process has started or adopted.

    Without a subreaper that can be said of none: every orphan goes astray.
    """
    return frozenset(holding.strays if supervisor.adopts else ())


def _unaccounted(
    tree: ProcessTree, server_pid: int, pane_pids: set[int]
) -> list[ProcessInfo]:
    found: list[ProcessInfo] = []
    for top in tree.tops():
        if top.pid == server_pid:
            continue
        found += [top, *tree.below(top.pid)]
    for child in tree.children(server_pid):
        # A job (run-shell, pipe-pane) has no terminal and never had one.
        if child.pid in pane_pids or not _had_terminal(child):
            continue
        found += [child, *tree.below(child.pid)]
    return found


def _had_terminal(info: ProcessInfo) -> bool:
    from pytest_tmuxlife.containment import procfs

    if info.terminal is not None or info.is_zombie:
        return True
    targets = (procfs.link(f"/proc/{info.pid}/fd/{number}") for number in range(3))
    return any(target and target.startswith("/dev/pts/") for target in targets)
