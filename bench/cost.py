"""What the helpers cost: memory, and CPU while a test waits."""

from __future__ import annotations

import contextlib
import time

from bench.ours import ENGINES, Ours
from bench.table import Row, Section
from pytest_tmuxlife.errors import WaitTimeout

_REAPER_LIMIT = 12 << 20
_SUPERVISOR_LIMIT = 3 << 20
_TESTS_BEFORE = 20


def resident(pid: int) -> int:
    """Resident bytes of a process."""
    return _field(f"/proc/{pid}/status", "VmRSS:")


def private(pid: int) -> int:
    """Bytes that a process shares with nobody.

    Source: proc_pid_smaps(5).
    """
    path = f"/proc/{pid}/smaps_rollup"
    return _field(path, "Private_Dirty:") + _field(path, "Private_Clean:")


def _field(path: str, name: str) -> int:
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    raise ValueError(f"no {name} in {path}")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with one thread, to the nanosecond."""
    with open(f"/proc/{pid}/schedstat", encoding="utf-8") as file:
        return int(file.read().split()[0]) / 1e9


def measure_memory() -> Section:
    """After some tests, with one server that lives."""
    with Ours("native") as ours:
        for number in range(_TESTS_BEFORE):
            ours.cycle(number)
        server = ours.server()
        server.new_session().pane.run("true")
        reaper = resident(ours.harness.reaper.pid)
        supervisor = private(server.supervisor.pid)
        rows = [
            _memory_row("reaper, resident", reaper, _REAPER_LIMIT),
            _memory_row("reaper, its own", private(ours.harness.reaper.pid), None),
            _memory_row("supervisor, its own", supervisor, _SUPERVISOR_LIMIT),
        ]
    note = f"after {_TESTS_BEFORE} tests; own: Private_Dirty and Private_Clean."
    return Section("Memory of the helpers", rows, [note])


def _memory_row(what: str, size: int, limit: int | None) -> Row:
    shown = f"{size / (1 << 20):.1f} MB"
    if limit is None:
        return Row(what, shown)
    met = "yes" if size < limit else "NO"
    return Row(what, shown, target=f"< {limit >> 20} MB", met=met)


def measure_cpu(seconds: float) -> Section:
    """CPU of each process during one wait that finds nothing."""
    rows: list[Row] = []
    for engine in ENGINES:
        with Ours(engine) as ours:
            server = ours.server()
            pane = server.new_session().pane
            pane.run("true")
            helpers = {
                "reaper": ours.harness.reaper.pid,
                "supervisor": server.supervisor.pid,
                "tmux server": server.pid,
            }
            before = {name: cpu_seconds(pid) for name, pid in helpers.items()}
            mine = time.process_time()
            with contextlib.suppress(WaitTimeout):
                pane.wait_for_text("what nobody prints", timeout=seconds)
            used = {"the waiting process": time.process_time() - mine}
            for name, pid in helpers.items():
                used[name] = cpu_seconds(pid) - before[name]
        rows += [
            Row(
                f"{name}, {engine}",
                f"{1000 * spent:.1f} ms",
                ratio=_share(spent, seconds),
            )
            for name, spent in used.items()
        ]
    return Section(
        f"CPU during a wait of {seconds:g} s",
        rows,
        ["ratio: share of one core. The pane shows an idle shell."],
    )


def _share(spent: float, seconds: float) -> str:
    return f"{100 * spent / seconds:.2f} %"
