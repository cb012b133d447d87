"""A run sweeps what dead runs left, and nothing that lives."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from runs import STUBBORN_PROCESSES, PytestProcess, kill_at_once

from pytest_tmuxlife.containment import procfs
from pytest_tmuxlife.containment.files import write_record
from pytest_tmuxlife.containment.identity import Identity
from pytest_tmuxlife.containment.sweep import _sweep_locked, sweep

HELD = """
import os, signal

def test_it(stubborn, ready):
    server = stubborn()
    ready()
    signal.pause()
"""
QUICK = ("-o", "tmux_leak_grace=0.1", "-o", "tmux_kill_grace=0.1")
SHORT = """
def test_it(tmux_pane):
    assert tmux_pane.run("true").exit_code == 0
"""
TWO_PARTS = """
import os

def test_it(stubborn, ready):
    server = stubborn()
    ready()
    assert os.read(0, 1) == b"x"
    assert server.cmd("list-sessions").returncode == 0
    [pane] = server.panes
    assert pane.screen().text.count("armed") == 1
    server.kill()
"""


def die_at_once(run: PytestProcess) -> None:
    """pytest and every helper of it are killed, none can see another die."""
    run.wait_ready()
    run.note_processes()
    pytest_itself = Identity(run.pid, procfs.start_ticks(run.pid) or 0)
    assert kill_at_once([pytest_itself, run.reaper, *run.supervisors]) == 3
    run.wait()


def test_the_next_run_sweeps_what_killed_helpers_left(tmp_path: Path) -> None:
    """Processes and directory are gone, and the summary says so."""
    with PytestProcess(tmp_path / "dead", HELD) as dead:
        die_at_once(dead)
        name = dead.directory.name
        assert len(dead.living()) == STUBBORN_PROCESSES
        with PytestProcess(tmp_path / "next", SHORT, root=dead.root) as following:
            assert following.wait() == 0
            assert f"tmuxlife: removed {name} of a run" in following.output
            assert (
                f"(pid {dead.pid}): {STUBBORN_PROCESSES} processes ended"
                in following.output
            )
        dead.assert_nothing_left()


def test_of_runs_that_start_at_once_exactly_one_sweeps(tmp_path: Path) -> None:
    """All of them pass, and none disturbs another."""
    with PytestProcess(tmp_path / "dead", HELD) as dead, ExitStack() as stack:
        die_at_once(dead)
        removed = f"removed {dead.directory.name} of a run"
        runs = [
            stack.enter_context(
                PytestProcess(tmp_path / str(number), SHORT, root=dead.root)
            )
            for number in range(3)
        ]
        assert [run.wait() for run in runs] == [0, 0, 0], [run.output for run in runs]
        assert sum(removed in run.output for run in runs) == 1
        dead.assert_nothing_left()


def test_a_run_does_not_touch_another_that_lives(tmp_path: Path) -> None:
    """Two runs at once, of one user: neither sweeps nor disturbs the other."""
    with PytestProcess(tmp_path / "first", TWO_PARTS, "-s", *QUICK) as first:
        first.wait_ready()
        with PytestProcess(tmp_path / "second", SHORT, root=first.root) as second:
            assert second.wait() == 0
            assert "removed" not in second.output
        assert first.directory.is_dir()
        first.tell("x")
        first.wait()
        assert "1 passed" in first.output, first.output


def test_a_run_whose_reaper_alone_lives_is_not_swept(tmp_path: Path) -> None:
    """It is about to clean up by itself."""
    with PytestProcess(tmp_path / "dying", HELD) as dying:
        dying.wait_ready()
        reaper = dying.reaper
        pidfd = reaper.open()
        assert pidfd is not None
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        dying.signal(signal.SIGKILL)
        dying.wait()
        assert sweep([str(dying.root)]) == []
        assert dying.find_directory() is not None
        signal.pidfd_send_signal(pidfd, signal.SIGCONT)
        os.close(pidfd)
        dying.assert_nothing_left()


# -- what counts as dead ------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Our root in a place of the test's own; to be given to sweep as tmp_path."""
    made = tmp_path / f"tmuxlife-{os.geteuid()}"
    made.mkdir(mode=0o700)
    return made


def make_run(root: Path, **changed: str) -> Path:
    """The directory of a run whose helpers are dead, but for what is changed."""
    run = root / "0123abcd"
    (run / "1").mkdir(parents=True)
    owner = {
        "owner": "4194300 1",
        "reaper": "4194301 1",
        "boot": procfs.boot_id(),
        "namespace": procfs.pid_namespace(),
    }
    write_record(str(run / "owner"), {**owner, **changed})
    return run


def living() -> str:
    """This process as it stands in a record."""
    return f"{os.getpid()} {procfs.start_ticks(os.getpid())}"


def test_the_directory_of_a_dead_run_is_removed(root: Path) -> None:
    """The root goes with the last of them."""
    run = make_run(root)
    [swept] = sweep([str(root.parent)])
    assert (swept.run_directory, swept.owner, swept.processes) == (str(run), 4194300, 0)
    assert not root.exists()


@pytest.mark.parametrize("helper", ["owner", "reaper"])
def test_a_run_with_a_living_process_is_spared(root: Path, helper: str) -> None:
    """Its owner or its reaper is alive."""
    run = make_run(root, **{helper: living()})
    assert sweep([str(root.parent)]) == []
    assert run.is_dir()


def test_a_run_with_a_living_supervisor_is_spared(root: Path) -> None:
    """One helper that lives is enough."""
    run = make_run(root)
    write_record(str(run / "1" / "record"), {"supervisor": living(), "mark": "x-1"})
    assert sweep([str(root.parent)]) == []
    assert run.is_dir()


def test_a_reused_pid_is_not_taken_for_the_owner(root: Path) -> None:
    """Same pid, another start time: somebody else."""
    make_run(root, owner=f"{os.getpid()} 1")
    assert len(sweep([str(root.parent)])) == 1


def test_a_run_of_another_pid_namespace_is_spared(root: Path) -> None:
    """Its pids mean nothing here."""
    run = make_run(root, namespace="pid:[1]")
    assert sweep([str(root.parent)]) == []
    assert run.is_dir()


def test_a_run_of_an_earlier_boot_is_dead_whatever_its_pids(root: Path) -> None:
    """A pid of another boot is another process; nothing is signalled."""
    make_run(root, owner=living(), boot="another")
    [swept] = sweep([str(root.parent)])
    assert swept.processes == 0


@pytest.mark.parametrize("record", ["", "rubbish\0\n=\n", "owner=1 2 3\nreaper=x\n"])
def test_a_record_that_proves_nothing_spares_the_run(root: Path, record: str) -> None:
    """Torn, empty or of another format: it counts as alive."""
    run = make_run(root)
    (run / "owner").write_text(record)
    assert sweep([str(root.parent)]) == []
    assert run.is_dir()


def test_a_run_without_an_owner_is_nobodys_after_an_hour(root: Path) -> None:
    """Its reaper was killed in the moment before it signed."""
    run = make_run(root)
    (run / "owner").unlink()
    assert sweep([str(root.parent)]) == []
    os.utime(run, (time.time() - 7200,) * 2)
    assert len(sweep([str(root.parent)])) == 1


def test_a_sweep_at_any_step_of_another_finds_nothing_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while the lock is held, nor when it is the last thing to go."""
    run = make_run(root)
    for number in range(5):
        (run / f"file-{number}").touch()
        write_record(str(run / "1" / f"record-{number}"), {})
    found: list[object] = []
    steps = ("unlink", "rmdir")

    def with_another_sweep(real: Callable[[str], None]) -> Callable[[str], None]:
        def step(path: str) -> None:
            real(path)
            with monkeypatch.context() as inside:
                for name in steps:
                    inside.setattr(os, name, originals[name])
                found.extend(sweep([str(root.parent)]))

        return step

    originals = {name: getattr(os, name) for name in steps}
    for name in steps:
        monkeypatch.setattr(os, name, with_another_sweep(originals[name]))
    assert len(sweep([str(root.parent)])) == 1
    assert found == []
    assert not root.exists()


def test_a_root_that_others_could_have_made_is_not_swept(root: Path) -> None:
    """What its records say is not believed."""
    run = make_run(root)
    root.chmod(0o770)
    assert sweep([str(root.parent)]) == []
    assert run.is_dir()


def test_links_in_a_dead_run_are_removed_and_not_followed(
    root: Path, tmp_path: Path
) -> None:
    """What they point to stays."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    (make_run(root) / "link").symlink_to(precious)
    assert len(sweep([str(root.parent)])) == 1
    assert (precious / "file").read_text() == "mine"


def test_a_lock_that_makes_the_directories_anew_keeps_them_private(
    tmp_path: Path,
) -> None:
    """As when another run has swept them between the look and the lock."""
    run = tmp_path / "tmuxlife-root" / "0123abcd"
    assert _sweep_locked(str(run)) is None
    assert not run.exists()
    assert stat.S_IMODE(run.parent.stat().st_mode) == 0o700
