"""Runs rows of the table in a pytest of their own, as some user."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from processes import PROGRAMS

import pytest_tmuxlife
from kinds.model import Row
from pytest_tmuxlife.containment import kernel, procfs
from pytest_tmuxlife.containment.identity import Identity

HERE = Path(__file__).parent
LIMIT = 240.0
NOBODY = 65534
_TESTS = """
from kinds.table import KINDS, TWINS

def test_leaking(play):
    play("leaking", [row for row in KINDS if row.name in {kinds!r}])

def test_clean(play):
    play("clean", [row for row in TWINS if row.name in {twins!r}])
"""
# Without a virtual environment, whose other plugins would take part.
_OWN_PYTHON: str = getattr(sys, "_base_executable", "") or sys.executable
_REPORT = "--tmux-leak-report=leaks.json"
_INI = """
[pytest]
filterwarnings = error
addopts = -p no:cacheprovider -p no:randomly
"""


@dataclass(frozen=True)
class Found:
    """One survivor, as the report in JSON has it.

    Attributes:
        name: What it is called, without its pid.
        why: How it escaped; ``N`` stands for each number.
        seen_by: The layers that found it.
        holds: The targets of its descriptors.
    """

    name: str
    why: str
    seen_by: tuple[str, ...]
    holds: tuple[str, ...]


@dataclass(frozen=True)
class Played:
    """What is known of one row that was run.

    Attributes:
        directory: Of its pane.
        host: Its loopback address.
        processes: All that there was when it had taken effect.
        found: What outlived its tmux server; nothing if it was clean.
    """

    directory: str
    host: str
    processes: tuple[Identity, ...]
    found: tuple[Found, ...]


class TableRun:
    """A run that has ended, and what it left, which must be nothing."""

    def __init__(self, directory: Path, status: int, output: str) -> None:
        self._directory = directory
        self.status = status
        self.output = output
        self._leaks = _leaks(directory / "leaks.json")

    def played(self, name: str) -> dict[str, Played]:
        """By the names of the rows: those of ``leaking`` or ``clean``."""
        path = self._directory / f"{name}.json"
        if not path.exists():
            return {}
        return {
            name: Played(
                record["directory"],
                record["host"],
                tuple(filter(None, map(Identity.parse, record["processes"]))),
                tuple(self._leaks.get(record["server"], ())),
            )
            for name, record in json.loads(path.read_text()).items()
        }

    @property
    def layers(self) -> tuple[str, ...]:
        """What leaks were found by."""
        report = json.loads((self._directory / "leaks.json").read_text())
        return tuple(report["run"]["layers"])

    @property
    def accused(self) -> int:
        """How many servers something is said to have outlived."""
        return len(self._leaks)

    def left(self) -> list[Identity]:
        """Processes that have anything to do with the run, zombies too."""
        noted = [
            process
            for name in ("leaking", "clean")
            for played in self.played(name).values()
            for process in played.processes
            if procfs.start_ticks(process.pid) == process.start_ticks
        ]
        found = [
            Identity(pid, ticks)
            for pid in procfs.all_pids()
            if self._has_to_do_with(pid) and (ticks := procfs.start_ticks(pid))
        ]
        return list(dict.fromkeys([*noted, *found]))

    def _has_to_do_with(self, pid: int) -> bool:
        """It stands in the run's directory, or was started with its name."""
        root = str(self._directory)
        if (procfs.link(f"/proc/{pid}/cwd") or "").startswith(root):
            return True
        said = [
            procfs.read_bytes(f"/proc/{pid}/{name}") for name in ("environ", "cmdline")
        ]
        return any(root.encode() in (text or b"") for text in said)

    def end(self) -> None:
        """Kill what is left, so that a failed test leaves nothing."""
        for process in self.left():
            pidfd = process.open()
            if pidfd is not None:
                kernel.send_signal(pidfd, signal.SIGKILL)
                os.close(pidfd)


def _leaks(path: Path) -> dict[int | None, list[Found]]:
    """What the report says, by the pid of the tmux server that it was below."""
    leaks: dict[int | None, list[Found]] = {}
    for finding in json.loads(path.read_text())["findings"] if path.exists() else ():
        for leak in finding["leaks"]:
            found = Found(
                leak["name"].rpartition(" ")[0],
                re.sub(r" \d+", " N", leak["why"]),
                tuple(leak["seen_by"]),
                tuple(held["target"] for held in leak["descriptors"]),
            )
            leaks.setdefault(leak["server"], []).append(found)
    return leaks


@contextmanager
def run_rows(
    kinds: Iterable[Row], twins: Iterable[Row], *, as_nobody: bool
) -> Iterator[TableRun]:
    """Play rows in a pytest of their own; what it leaves is ended afterwards.

    Args:
        kinds: Of the leaking ones.
        twins: Of the clean ones.
        as_nobody: As the user nobody instead of this one, which must be root.
    """
    # A short path: sockets are made below it.
    directory = Path(tempfile.mkdtemp(prefix="kinds-", dir="/tmp"))
    try:
        run = _run(
            directory,
            [row.name for row in kinds],
            [row.name for row in twins],
            as_nobody,
        )
        try:
            yield run
        finally:
            run.end()
    finally:
        shutil.rmtree(directory)


def _run(
    directory: Path, kinds: list[str], twins: list[str], as_nobody: bool
) -> TableRun:
    library = directory / "library"
    python = everybodys_python() if as_nobody else _OWN_PYTHON
    copy_library(library)
    shutil.copy(HERE / "inner_conftest.py", directory / "conftest.py")
    (directory / "test_rows.py").write_text(_TESTS.format(kinds=kinds, twins=twins))
    (directory / "pytest.ini").write_text(_INI)
    directory.chmod(0o755)
    argv = [str(python), "-m", "pytest", "-q", "test_rows.py", _REPORT]
    if as_nobody:
        for path in (directory, directory / "test_rows.py"):
            os.chown(path, NOBODY, NOBODY)
        ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        argv = ["setpriv", *ids, "--", *argv]
    environment = {
        **os.environ,
        "HOME": str(directory),
        "TMPDIR": "/tmp",
        "PYTHONPATH": str(library),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEST_PROGRAMS": str(library / "programs"),
        "COLUMNS": "200",
    }
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    done = subprocess.run(
        argv,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=LIMIT,
        check=False,
    )
    return TableRun(directory, done.returncode, done.stdout + done.stderr)


def everybodys_python() -> Path | None:
    """A Python of this version that every user may run; None without one."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    for path in (_OWN_PYTHON, found):
        if path and all(_lets_in(above) for above in Path(path).resolve().parents):
            return Path(path)
    return None


def _lets_in(directory: Path) -> bool:
    return bool(directory.stat().st_mode & stat.S_IXOTH)


def copy_library(target: Path) -> None:
    """What the inner pytest imports, where every user can read it.

    The checkout can be below a home directory that nobody else may enter.
    """
    target.mkdir()
    for name in _requirements("pytest-tmuxlife"):
        distribution = metadata.distribution(name)
        tops = {
            file.parts[0]
            for file in distribution.files or ()
            if file.parts[0] not in ("..", "__pycache__") and file.suffix != ".pth"
        }
        for top in tops:
            _copy(Path(str(distribution.locate_file(top))), target / top)
    package = Path(pytest_tmuxlife.__file__).parent
    _copy(package, target / package.name)
    _copy(HERE, target / HERE.name)
    _copy(PROGRAMS, target / PROGRAMS.name)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(
            source, target, dirs_exist_ok=True, copy_function=shutil.copyfile
        )
    elif source.exists():
        shutil.copyfile(source, target)


def _requirements(name: str) -> set[str]:
    """The distribution and all that it needs, as far as it is installed."""
    found: set[str] = set()
    queue = [name]
    while queue:
        one = queue.pop()
        if one in found:
            continue
        try:
            requires = metadata.requires(one)
        except metadata.PackageNotFoundError:
            continue
        found.add(one)
        queue += [
            re.split(r"[^\w.-]", line, maxsplit=1)[0]
            for line in requires or ()
            if "extra ==" not in line
        ]
    return found
