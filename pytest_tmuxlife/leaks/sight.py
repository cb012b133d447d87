"""Which layers see a survivor, each looked at by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_tmuxlife.containment import cgroup, marks
from pytest_tmuxlife.containment.layers import LAYERS
from pytest_tmuxlife.containment.processes import ProcessInfo, ProcessTree
from pytest_tmuxlife.containment.supervisor import Holding, Supervisor


@dataclass(frozen=True, slots=True)
class Sight:
    """What the layers had in sight at the moment of a verdict.

    Attributes:
        tree: What descends from the supervisor, and strays with all below.
        strays: What is ours and does not descend from it, by pid, with the
            layers by which the supervisor knows of it.
        cgroup: Pids in the server's cgroup.
        mark: What was started for the server bears it.
    """

    tree: ProcessTree
    strays: Mapping[int, Sequence[str]]
    cgroup: frozenset[int]
    mark: str

    @classmethod
    def of(cls, supervisor: Supervisor, holding: Holding, tree: ProcessTree) -> Sight:
        """What is in sight now."""
        path = supervisor.cgroup
        members = cgroup.members(path) if path else []
        return cls(tree, holding.strays, frozenset(members), supervisor.mark)

    def layers(self, process: ProcessInfo) -> tuple[str, ...]:
        """Those that see *process*, the surest first."""
        seen = set(self.strays.get(process.pid, ()))
        if is_descendant(process, self.tree):
            seen.add("lineage")
        if process.pid in self.cgroup:
            seen.add("cgroup")
        if marks.bears(process.pid, self.mark):
            seen.add("marker")
        return tuple(layer for layer in LAYERS if layer in seen)


def is_descendant(process: ProcessInfo, tree: ProcessTree) -> bool:
    """Its ancestors, as noted in *tree*, lead to the supervisor."""
    above = process.ppid
    while above in tree.processes:
        above = tree.processes[above].ppid
    return above == tree.root
