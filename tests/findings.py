"""Leaks and verdicts as values, for tests of what is made of them."""

from __future__ import annotations

from pytest_tmuxlife.containment.processes import ProcessInfo, ProcessTree
from pytest_tmuxlife.leaks.leak import Leak
from pytest_tmuxlife.leaks.model import Verdict

SUPERVISOR, SERVER, SHELL = 10, 11, 12


def process(
    pid: int,
    ppid: int,
    name: str = "sleep",
    *command: str,
    sid: int = SHELL,
    state: str = "S",
    terminal: str | None = None,
) -> ProcessInfo:
    return ProcessInfo(
        pid, ppid, pid, sid, name, command or (name,), state, terminal, pid, 3.0
    )


def leak(info: ProcessInfo, why: str = "ignores SIGHUP", **fields: object) -> Leak:
    found = Leak("process", why, ("lineage",), info, None, "end it by its pid")
    for name, value in fields.items():
        object.__setattr__(found, name, value)
    return found


def verdict(
    *leaks: Leak, noted: tuple[ProcessInfo, ...] = (), ended: bool = False
) -> Verdict:
    """Of a server with a shell in pane %0 and *noted*; ended: before the look."""
    stood = (
        process(SERVER, SUPERVISOR, "tmux: server", sid=SERVER),
        process(SHELL, SERVER, "bash", terminal="/dev/pts/0"),
        *noted,
    )
    known = {} if ended else {info.pid: info for info in stood}
    tree = ProcessTree(SUPERVISOR, known)
    return Verdict(SERVER, 2.5, tree, leaks, pane_ids={SHELL: "%0"})
