"""The helper processes: the reaper, and the supervisors that hold processes."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from runs import eventually

from pytest_tmuxlife.containment import kernel, procfs
from pytest_tmuxlife.containment.processes import note_tree
from pytest_tmuxlife.containment.reaper import Reaper, _start
from pytest_tmuxlife.containment.supervisor import Supervisor
from pytest_tmuxlife.errors import ReaperDied, TmuxLifeError, TmuxNotFound

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def start(supervisor: Supervisor, script: str) -> int:
    """Run a shell script; return how many orphans it left to the supervisor."""
    done = supervisor.run(["/bin/sh", "-c", script], ENVIRONMENT, timeout=20)
    assert done.status == 0, done
    return len(supervisor.look().children)


def test_helpers_are_small(reaper: Reaper, supervisor: Supervisor) -> None:
    """The reaper under 12 MB resident, a supervisor under 3 MB of its own."""
    # With Python 3.14 the same modules of its library take 2 MB more.
    limit = 12_000 if sys.version_info < (3, 14) else 14_000
    assert int(procfs.status(reaper.pid)["VmRSS"].split()[0]) < limit
    rollup = (procfs.read_bytes(f"/proc/{supervisor.pid}/smaps_rollup") or b"").decode()
    lines = [line.split() for line in rollup.splitlines() if "Private_" in line]
    assert len(lines) >= 2
    assert sum(int(line[1]) for line in lines) < 3_000


def test_helpers_are_no_children_of_ours(supervisor: Supervisor) -> None:
    """Nor is what they start."""
    start(supervisor, "sleep 1000 &")
    below = [pid for pid, _ in procfs.descendants(os.getpid())]
    assert not {supervisor.pid, *supervisor.look().children} & set(below)
    assert supervisor.kill(term_grace=1.0).empty


def test_reaper_that_finds_pytest_gone_leaves_no_directory(tmp_path: Path) -> None:
    """As when pytest is killed while its reaper starts: nobody hears its hello."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.shutdown(socket.SHUT_RD)
        with theirs:
            _start(theirs, str(tmp_path / "root" / "run"), "", "adopts", "")
        poller = select.poll()
        poller.register(ours, 0)
        # It has the other end until it exits.
        assert poller.poll(60_000)
    assert list(tmp_path.iterdir()) == []


def test_helpers_hold_no_descriptor_of_ours(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """Else what we close would stay open."""
    targets = [
        os.readlink(f"/proc/{supervisor.pid}/fd/{fd}")
        for fd in os.listdir(f"/proc/{supervisor.pid}/fd")
    ]
    # libffi 3.5 keeps its own file open, in each process that imports ctypes.
    foreign = [
        name for name in targets if not name.rpartition("/")[2].startswith("libffi.so")
    ]
    kinds = {target.split(":")[0] for target in foreign}
    assert kinds <= {"/dev/null", "socket", "pipe", "anon_inode"}, targets


def test_what_a_client_prints_and_reads_is_not_limited(supervisor: Supervisor) -> None:
    """A pipe's 64 kB are not the end of it."""
    text = os.urandom(1 << 20)
    done = supervisor.run(["/bin/cat"], ENVIRONMENT, timeout=20, stdin=text)
    assert (done.status, done.stdout, done.stderr) == (0, text, b"")


def test_a_client_is_killed_at_its_limit_with_its_children(
    supervisor: Supervisor,
) -> None:
    """What it had printed by then is there."""
    script = "echo started; trap '' TERM; sleep 1000 & sleep 1000"
    done = supervisor.run(["/bin/sh", "-c", script], ENVIRONMENT, timeout=0.5)
    assert done.timed_out
    assert done.stdout == b"started\n"
    assert supervisor.end(5.0, server_limit=1.0).empty


def test_a_client_that_cannot_start_is_an_error(supervisor: Supervisor) -> None:
    """With the reason."""
    with pytest.raises(TmuxNotFound, match=r"cannot start /nonexistent: .*ENOENT"):
        supervisor.run(["/nonexistent"], ENVIRONMENT, timeout=5)
    assert supervisor.look().empty


def test_term_comes_before_kill(supervisor: Supervisor, tmp_path: Path) -> None:
    """A program may clean up; one that is stopped is continued for that."""
    script = f"""
    sh -c 'trap "echo bye > {tmp_path}/said; exit" TERM; echo > {tmp_path}/armed
           kill -STOP $$; while :; do sleep 1; done' &
    """
    assert start(supervisor, script) == 1
    assert eventually((tmp_path / "armed").exists, 20)
    assert supervisor.kill(term_grace=20.0).empty
    assert (tmp_path / "said").read_text() == "bye\n"


@pytest.mark.parametrize(
    "script",
    [
        "trap '' HUP TERM; sleep 1000 & (setsid sleep 1000 &)",
        "env -i setsid -f sh -c 'trap \"\" TERM; sleep 1000; sleep 1000'",
        "f() { (f) & exec sleep 0.02; }; trap '' TERM; f",
    ],
    ids=["stubborn", "daemon", "forks for ever"],
)
def test_nothing_outlasts_the_ladder(supervisor: Supervisor, script: str) -> None:
    """ECHILD says when it is over."""
    assert start(supervisor, script) > 0
    holding = supervisor.kill(term_grace=0.05, limit=10.0)
    assert holding.empty
    assert note_tree(supervisor.pid).processes == {}


def test_what_is_kept_lives_until_the_run_ends(reaper: Reaper) -> None:
    """Also when a supervisor is killed and its orphans are ended."""
    first, second = reaper.supervise(), reaper.supervise()
    start(first, "sleep 1000 &")
    start(second, "sleep 1000 &")
    [kept], [other] = first.look().children, second.look().children
    pidfds = [os.pidfd_open(pid) for pid in (kept, other)]
    reaper.keep([kept])
    first.finish()
    os.kill(second.pid, signal.SIGKILL)
    assert kernel.has_exited(pidfds[1], 20)
    assert not kernel.has_exited(pidfds[0])
    reaper.close()
    assert kernel.has_exited(pidfds[0])
    for pidfd in pidfds:
        os.close(pidfd)


def test_a_killed_supervisor_is_an_error_that_names_it(reaper: Reaper) -> None:
    """All of it goes at once, the others stay, and a new one can be had."""
    killed, other = reaper.supervise(), reaper.supervise()
    start(killed, "trap '' TERM; sleep 1000 &")
    [orphan] = map(os.pidfd_open, killed.look().children)
    os.kill(killed.pid, signal.SIGKILL)
    assert kernel.has_exited(orphan, 20)
    os.close(orphan)
    with pytest.raises(ReaperDied, match=f"supervisor of tmux server {killed.mark}"):
        killed.look()
    assert eventually(lambda: not os.path.exists(killed.directory), 20)
    following = reaper.supervise()
    for supervisor in (other, following):
        assert supervisor.look().empty
        supervisor.finish()


def test_a_helper_that_crashes_says_where(reaper: Reaper) -> None:
    """Its last word stands in the error; what it held is ended."""
    supervisor = reaper.supervise()
    start(supervisor, "trap '' TERM; sleep 1000 &")
    [orphan] = map(os.pidfd_open, supervisor.look().children)
    with pytest.raises(ReaperDied, match=r"AttributeError\(.* supervisor_main.py:\d+"):
        supervisor._channel.ask("no_such_request")
    assert kernel.has_exited(orphan, 20)
    os.close(orphan)


def test_a_killed_reaper_is_an_error_that_names_it(reaper: Reaper) -> None:
    """For the supervisors too, which follow it; then nothing is left."""
    supervisor = reaper.supervise()
    start(supervisor, "trap '' TERM; sleep 1000 &")
    os.kill(reaper.pid, signal.SIGKILL)
    with pytest.raises(ReaperDied, match=rf"reaper \(pid {reaper.pid}\) is gone"):
        supervisor.run(["/bin/sleep", "1000"], ENVIRONMENT, timeout=20)
    with pytest.raises(ReaperDied, match="reaper"):
        reaper.supervise()
    reaper.close()
    assert not os.path.exists(reaper.run_directory)


def test_a_fork_has_no_line_to_the_helpers(
    reaper: Reaper, supervisor: Supervisor
) -> None:
    """And says so, rather than mix its questions with its parent's."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = []
        for ask in (supervisor.look, reaper.supervise):
            try:
                ask()
            except TmuxLifeError as error:
                said.append(type(error).__name__)
        reaper.close()
        os.write(write_end, " ".join(said).encode())
        os._exit(0)
    os.close(write_end)
    assert os.read(read_end, 100) == b"ReaperDied TmuxLifeError"
    os.close(read_end)
    os.waitpid(pid, 0)
    assert reaper.is_alive
    assert supervisor.look().empty


def test_an_answer_that_nobody_waits_for_is_nobodys(supervisor: Supervisor) -> None:
    """A wait that an alarm cuts short ends its client, and the next is right."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeoutError):
            supervisor.run(["/bin/sleep", "1000"], ENVIRONMENT, timeout=60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    done = supervisor.run(["/bin/echo", "next"], ENVIRONMENT, timeout=20)
    assert done.stdout == b"next\n"
    assert supervisor.end(20.0, server_limit=1.0).empty


def test_the_end_is_seen_by_an_event() -> None:
    """A pidfd becomes readable; nobody polls for a pid."""
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    pidfd = os.pidfd_open(child.pid)
    assert not kernel.has_exited(pidfd)
    child.communicate()
    assert select.select([pidfd], [], [], 0)[0] == [pidfd]
    assert not kernel.send_signal(pidfd, 0)
    os.close(pidfd)
