"""The cgroup of a supervisor: made where it can be, and gone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import SHORT_GRACE, Inner, needs
from runs import eventually

from pytest_tmuxlife.containment import cgroup, layers
from pytest_tmuxlife.containment.reaper import Reaper
from pytest_tmuxlife.containment.supervisor import Supervisor
from pytest_tmuxlife.containment.sweep import sweep

HOME, WHY_NOT = cgroup.find_home()
needs_cgroup = pytest.mark.skipif(bool(WHY_NOT), reason=f"no cgroup here: {WHY_NOT}")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
ENVIRONMENT = {"PATH": os.environ["PATH"]}
GONE_LIMIT = 30.0


# -- where one can be made ----------------------------------------------------


@pytest.mark.parametrize(
    ("own", "root", "options", "reason"),
    [
        ("/a", "/", ["ro", "nosuid"], "/mount is read-only"),
        ("/", "/a", ["rw"], "our cgroup / is not in /mount"),
        ("/../other", "/", ["rw"], "our cgroup /../other is not in /mount"),
        ("/a/b", "/a", ["rw"], "/mount/b is not writable"),
        ("/a (deleted)", "/", ["rw"], "/mount/a (deleted) is not writable"),
    ],
)
def test_what_forbids_a_cgroup_is_named(
    own: str, root: str, options: list[str], reason: str
) -> None:
    """The mount, or the place of our own cgroup in it."""
    assert cgroup._directory(own, root, "/mount", options) == ("", reason)


def test_a_mount_point_may_have_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel writes them as octal numbers; version 1 is passed over."""
    lines = [
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw",
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu",
        r"41 31 0:38 /in /my\040cgroups\134x rw,nosuid shared:9 - cgroup2 cgroup2 rw",
    ]
    monkeypatch.setattr(cgroup, "_lines", lambda path: lines)
    assert cgroup._mounts() == [("/in", "/my cgroups\\x", ["rw", "nosuid"])]


@pytest.mark.parametrize(
    "path",
    [
        f"{HOME}/tmuxlife-ffffffff",
        f"{HOME}/x/../tmuxlife-0123abcd",
        f"{HOME}/tmuxlife-0123abcd/",
        "/tmp/tmuxlife-0123abcd",
        "",
    ],
)
def test_only_a_cgroup_of_the_run_itself_is_taken_for_one(
    path: str,
) -> None:
    """A record that names another path is not believed."""
    assert not cgroup.is_of_run(path, "0123abcd")


def test_header_says_which_layers_are_active(inner: Inner) -> None:
    """And why one is not."""
    run = inner.run("def test_inner(): pass")
    found = f"*; leaks are found by: {layers.in_words(frozenset())}"
    run.result.stdout.fnmatch_lines([found.replace("[", "[[]")])
    run = inner.run("def test_inner(): pass", ini="tmux_without = cgroup")
    run.result.stdout.fnmatch_lines(
        [
            "*; leaks are found by: lineage, marker "
            "(no cgroup: switched off by tmux_without)"
        ]
    )


# -- what is in it --------------------------------------------------------------


def move(pid: int, path: str) -> None:
    """Put a process into a cgroup."""
    Path(path, "cgroup.procs").write_text(str(pid))


def start_sleeper(supervisor: Supervisor) -> int:
    """Pid of an orphan that the supervisor holds."""
    script = "sleep 1000 & echo $!"
    done = supervisor.run(["/bin/sh", "-c", script], ENVIRONMENT, timeout=20)
    return int(done.stdout)


@needs_cgroup
def test_all_that_a_supervisor_starts_is_in_its_cgroup(
    reaper: Reaper, supervisor: Supervisor
) -> None:
    assert os.path.dirname(supervisor.cgroup) == cgroup.of_run(HOME, reaper.run_id)
    assert cgroup.members(supervisor.cgroup) == [supervisor.pid]
    pid = start_sleeper(supervisor)
    assert cgroup.members(supervisor.cgroup) == [supervisor.pid, pid]
    assert supervisor.look().strays == {}
    assert supervisor.kill(term_grace=1.0).empty


@needs_cgroup
def test_what_has_made_a_cgroup_below_is_still_in_it(supervisor: Supervisor) -> None:
    pid = start_sleeper(supervisor)
    below = supervisor.cgroup + "/below"
    os.mkdir(below)
    move(pid, below)
    assert cgroup.members(supervisor.cgroup) == [supervisor.pid, pid]
    assert supervisor.kill(term_grace=1.0).empty


@pytest.fixture
def stranger(supervisor: Supervisor) -> Iterator[subprocess.Popen[bytes]]:
    """A child of this process, moved into the supervisor's cgroup."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        move(process.pid, supervisor.cgroup)
        yield process
        process.kill()


@needs_cgroup
def test_a_stray_in_the_cgroup_is_left_and_ended(
    supervisor: Supervisor, stranger: subprocess.Popen[bytes]
) -> None:
    """No child is left, yet the server's end is not clean."""
    holding = supervisor.end(0.1, server_limit=0.1)
    assert not holding.empty
    assert holding.strays == {stranger.pid: ["cgroup"]}
    assert supervisor.kill(term_grace=0.0, spare=[stranger.pid]).empty
    assert stranger.poll() is None
    assert supervisor.kill(term_grace=30.0).empty
    assert stranger.wait() == -signal.SIGTERM


@needs_cgroup
def test_the_end_waits_for_a_stray_that_goes_by_itself(
    supervisor: Supervisor, stranger: subprocess.Popen[bytes]
) -> None:
    """Nobody tells the supervisor of its end, so it looks again."""
    assert not supervisor.end(0.05, server_limit=0.05).empty
    stranger.kill()
    assert supervisor.end(GONE_LIMIT, server_limit=1.0).empty


@needs_cgroup
def test_cgroups_go_with_the_run() -> None:
    reaper = Reaper()
    supervisor = reaper.supervise()
    run, mine = cgroup.of_run(HOME, reaper.run_id), supervisor.cgroup
    supervisor.finish()
    assert eventually(lambda: not os.path.exists(mine), GONE_LIMIT)
    reaper.close()
    assert not os.path.exists(run)


@needs_cgroup
def test_old_cgroup_of_a_run_without_a_directory_is_swept_if_it_is_empty(
    tmp_path: Path,
) -> None:
    """One in which something lives stays."""
    empty, populated = (cgroup.of_run(HOME, os.urandom(4).hex()) for _ in range(2))
    with subprocess.Popen(["sleep", "1000"]) as process:
        for path in (empty, populated):
            os.makedirs(path + "/1")
        move(process.pid, populated + "/1")
        for path in (empty, populated):
            os.utime(path, (0, 0))
        sweep([str(tmp_path)])
        assert not os.path.exists(empty)
        assert os.path.exists(populated)
        process.kill()
    cgroup.remove(populated, GONE_LIMIT)


@needs_cgroup
def test_stray_of_a_killed_supervisor_is_ended(
    reaper: Reaper, supervisor: Supervisor, stranger: subprocess.Popen[bytes]
) -> None:
    """The reaper ends it, and removes the cgroup."""
    mine = supervisor.cgroup
    os.kill(supervisor.pid, signal.SIGKILL)
    assert stranger.wait(GONE_LIMIT) == -signal.SIGTERM
    assert eventually(lambda: not os.path.exists(mine), GONE_LIMIT)


# -- what lineage does not see ----------------------------------------------------

IN_OLDER_NAMESPACE = """
import subprocess
import pytest

@pytest.fixture
def older():
    command = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c"]
    command += ["readlink /proc/self; exec sleep 1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            yield int(file.read())
        process.kill()

def test_inner(older, tmux_pane, start):
    script = "setsid $PYTHON $PROGRAMS/stays.py &"
    start(tmux_pane, f"nsenter -t {older} -p sh -c '{script}'")
"""


@needs_cgroup
@needs_root
@needs("nsenter")
def test_process_that_an_older_namespace_adopted_is_found_by_its_cgroup(
    inner: Inner,
) -> None:
    """The first process of a PID namespace adopts its orphans, no subreaper."""
    run = inner.run(IN_OLDER_NAMESPACE, ini=SHORT_GRACE)
    run.assert_leaked_outcome()
    (survivor,) = run.survivors
    (watched,) = run.watched
    assert survivor.pid == watched.pid
    assert survivor.why.startswith("no descendant of the server: its parent is sleep ")
    assert "found by cgroup and marker" in survivor.why
    run.assert_all_gone()
