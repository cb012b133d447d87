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

from processes import PROGRAMS, Survivor, survivors_of

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
_INI = """
[pytest]
filterwarnings = error
addopts = -p no:cacheprovider -p no:randomly
"""
_HEADLINE = re.compile(r".* outlived tmux server (?P<pid>\d+); looked for ")


@dataclass(frozen=True)
class Played:
    """What is known of one row that was run.

    Attributes:
        server: Pid of its tmux server.
        directory: Of its pane.
        host: Its loopback address.
        processes: All that there was when it had taken effect.
        report: The lines of the report on its server; none if it was clean.
    """

    server: int
    directory: str
    host: str
    processes: tuple[Identity, ...]
    report: tuple[str, ...]

    @property
    def survivors(self) -> list[Survivor]:
        """Rows of the report."""
        return survivors_of(list(self.report))


class TableRun:
    """A run that has ended, and what it left, which must be nothing."""

    def __init__(self, directory: Path, status: int, output: str) -> None:
        self._directory = directory
        self.status = status
        self.output = output
        self._blocks = _blocks(output.splitlines())

    def played(self, name: str) -> dict[str, Played]:
        """By the names of the rows: those of ``leaking`` or ``clean``."""
        path = self._directory / f"{name}.json"
        if not path.exists():
            return {}
        return {
            name: Played(
                record["server"],
                record["directory"],
                record["host"],
                tuple(filter(None, map(Identity.parse, record["processes"]))),
                tuple(self._blocks.get(record["server"], ())),
            )
            for name, record in json.loads(path.read_text()).items()
        }

    @property
    def accused(self) -> int:
        """How many servers the report has a block for."""
        return len(self._blocks)

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


def _blocks(lines: list[str]) -> dict[int, list[str]]:
    """The lines of the report by the server that they are about."""
    blocks: dict[int, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        found = _HEADLINE.match(line)
        if found:
            current = blocks.setdefault(int(found["pid"]), [])
        if line.startswith(("====", "____", "----")):
            current = None
        if current is not None:
            current.append(line)
    return blocks


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
    python = interpreter() if as_nobody else sys.executable
    copy_library(library)
    shutil.copy(HERE / "inner_conftest.py", directory / "conftest.py")
    (directory / "test_rows.py").write_text(_TESTS.format(kinds=kinds, twins=twins))
    (directory / "pytest.ini").write_text(_INI)
    directory.chmod(0o755)
    argv = [str(python), "-m", "pytest", "-q", "test_rows.py"]
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


def interpreter() -> Path | None:
    """A Python of this version that every user may run; None without one."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = getattr(sys, "_base_executable", None) or sys.executable
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    for path in (own, found):
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
