"""What a run has left that no server's verdict could see: by its marker.

A process that an older daemon started descends from no supervisor, and is in
no cgroup of ours. If it got a copy of the environment, its mark says which
tmux server that was of; the environment is fixed at exec, so the moment at
which it is found says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

from pytest_tmuxlife.containment import marks, procfs
from pytest_tmuxlife.containment.processes import (
    ProcessInfo,
    ProcessTree,
    process_info,
)
from pytest_tmuxlife.leaks.escape import Scene
from pytest_tmuxlife.leaks.model import Finding
from pytest_tmuxlife.leaks.rules import Rule, permission_for
from pytest_tmuxlife.leaks.sight import Sight
from pytest_tmuxlife.leaks.survivors import describe

THE_RUN = "the run"


def find_marked(
    run_id: str,
    reaper_pid: int,
    ledger: Mapping[str, str],
    *,
    rules: Sequence[Rule] = (),
    kept: Collection[int] = (),
) -> list[Finding]:
    """Findings for each owner of what bears a mark of the run. Ends nothing.

    What descends from this process or from the reaper is left out: others
    look after that.

    Args:
        run_id: Of the run.
        reaper_pid: Of its reaper.
        ledger: The owner of each server, by its mark.
        rules: What may stay.
        kept: Pids that were allowed to stay until the run ends.
    """
    held = {reaper_pid, os.getpid()}
    found: dict[str, list[ProcessInfo]] = {}
    for pid in marks.find(run_id):
        mark, info = marks.mark_of(pid), process_info(pid)
        if info is None or not mark or pid in kept:
            continue
        is_stray = held.isdisjoint((pid, *procfs.ancestors(pid)))
        if is_stray and permission_for(rules, info) is None:
            found.setdefault(mark, []).append(info)
    return [
        _finding(mark, infos, reaper_pid, ledger.get(mark))
        for mark, infos in sorted(found.items())
    ]


def _finding(
    mark: str, infos: Sequence[ProcessInfo], reaper_pid: int, owner: str | None
) -> Finding:
    tree = ProcessTree(reaper_pid)
    strays = frozenset(info.pid for info in infos)
    scene = Scene(tree, reaper_pid, 0, strays=strays)
    sight = Sight(tree, {}, frozenset(), mark)
    return Finding(
        owner or THE_RUN,
        scope="test" if owner else "run",
        leaks=tuple(describe(infos, scene, sight)),
    )
