"""Programs that outlive their pane: what else is said and done than that they leak.

The kinds of leak, one by one, are in `kinds`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from processes import SHORT_GRACE, Inner

from pytest_tmuxlife.containment.processes import ProcessTree, note_tree
from pytest_tmuxlife.containment.supervisor import Holding, Supervisor
from pytest_tmuxlife.leaks import finder, survivors


def test_zombie_of_a_living_parent_is_reported(inner: Inner) -> None:
    run = inner.run_line("$PYTHON $PROGRAMS/leaves_zombie.py")
    parent, child = (one.pid for one in run.watched)
    run.assert_leaked(
        "ignores SIGHUP",
        f"zombie: exited, and leaves_zombie {parent} does not wait for it",
    )
    assert run.survivor(child).state == "ZOMBIE"


def test_program_whose_first_thread_has_exited_is_no_zombie(inner: Inner) -> None:
    """What /proc shows of it is read from a thread that lives."""
    run = inner.run_line("$PYTHON $PROGRAMS/loses_first_thread.py")
    run.assert_leaked("ignores SIGHUP")
    (survivor,) = run.survivors
    assert survivor.state == "ALIVE"
    assert survivor.name == "loses_first_thread"
    run.result.stdout.fnmatch_lines(["*fd *w */agent.log", "*cwd */test_inner0"])


def test_child_born_in_a_hup_handler_is_reported(inner: Inner) -> None:
    run = inner.run_line("$PYTHON $PROGRAMS/forks_at_hup.py")
    run.assert_leaked_outcome()
    (child,) = run.survivors
    assert child.why == "born during teardown, own Unix session (setsid)"
    assert "forks_at_hup.py" in child.command
    assert child.pid != run.watched[0].pid
    run.assert_all_gone()


def test_chain_that_forks_itself_anew_for_ever_is_reported(inner: Inner) -> None:
    run = inner.run_line("$PYTHON $PROGRAMS/reforks.py")
    run.assert_leaked_outcome()
    assert run.survivors
    for link in run.survivors:
        assert link.why.startswith("forks itself anew for ever")
        assert "reforks.py" in link.command
    run.assert_all_gone()


def test_pane_process_that_outlived_kill_session_is_reported(inner: Inner) -> None:
    """It has lost its terminal, but tmux is still its parent."""
    run = inner.run(
        """
        def test_inner(tmux_server, ready):
            argv = ["sh", "-c", 'exec "$PYTHON" "$PROGRAMS/stays.py" HUP']
            tmux_server.new_session()
            session = tmux_server.new_session(program=argv)
            ready()
            session.kill()
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked(
        "ignores SIGHUP, pane process that is still a child of the tmux server"
    )


def test_job_of_a_pane_that_was_closed_before_is_reported(inner: Inner) -> None:
    """Its Unix session has lost its leader, but it did not leave it."""
    run = inner.run(
        """
        def test_inner(tmux_session, start):
            start(tmux_session.pane, "nohup $PYTHON $PROGRAMS/stays.py >out.log 2>&1 &")
            tmux_session.kill()
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked("ignores SIGHUP")


def test_job_of_a_pane_that_the_tested_code_opened_is_reported(inner: Inner) -> None:
    """Nobody knew of that pane, and it was closed: still no daemon's doing."""
    run = inner.run(
        """
        import os
        import subprocess

        def test_inner(tmux_server, tmux_pane, tmux_env, ready, tmp_path):
            def tmux(*arguments):
                env = {**tmux_env, "READY": str(tmp_path / "ready")}
                subprocess.run(["tmux", *arguments], check=True, env=env)

            tmux("new-session", "-d", "-s", "agent", "bash")
            line = "$PYTHON $PROGRAMS/stays.py HUP &"
            tmux("send-keys", "-t", "agent", line, "Enter")
            ready()
            query = ["display-message", "-p", "-t", "agent", "#{pane_pid}"]
            (shell,) = tmux_server.cmd(*query).stdout
            tmux("kill-session", "-t", "agent")
            while os.path.exists(f"/proc/{shell}"):
                tmux_server.cmd("list-sessions")
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked("ignores SIGHUP")


def test_child_of_a_program_that_left_its_session_names_its_leader(
    inner: Inner,
) -> None:
    run = inner.run_line("setsid $PYTHON $PROGRAMS/starts_child.py &")
    parent, _ = (one.pid for one in run.watched)
    run.assert_leaked(
        "own Unix session (setsid)",
        f"in the Unix session of starts_child {parent} (setsid)",
    )


def test_tmux_server_started_in_the_pane_is_reported(inner: Inner) -> None:
    """So is the shell that it holds."""
    run = inner.run(
        """
        def test_inner(tmux_pane, watch):
            tmux = "tmux -S nested -f /dev/null"
            tmux_pane.run(f"{tmux} new-session -d", check=True)
            query = f"{tmux} display-message -p -t : '#{{pid}} #{{pane_pid}}'"
            shown = tmux_pane.run(query, check=True).output
            watch(*map(int, shown.split()))
        """,
        ini=SHORT_GRACE,
    )
    server = run.watched[0].pid
    run.assert_leaked(
        "another multiplexer's server",
        f"held by another multiplexer's server, tmux: server {server}",
    )
    run.result.stdout.fnmatch_lines(
        ["1 tmux server and 1 process outlived tmux server *"]
    )


def test_report_names_the_parent_that_an_orphan_had(inner: Inner) -> None:
    run = inner.run_line("$PYTHON $PROGRAMS/starts_child.py HUP")
    parent, child = (one.pid for one in run.watched)
    run.assert_leaked("ignores SIGHUP", "ignores SIGHUP")
    drawn = [row.pid for row in run.survivors]
    assert drawn == [parent, child]


def test_survivor_is_ended_before_the_next_test(inner: Inner) -> None:
    run = inner.run(
        """
        import os

        pids = []

        def test_inner(tmux_pane, start):
            pids.extend(start(tmux_pane, "setsid $PYTHON $PROGRAMS/stays.py TERM &"))

        def test_next():
            assert pids and not os.path.exists(f"/proc/{pids[0]}")
        """,
        ini=SHORT_GRACE,
    )
    run.result.assert_outcomes(passed=2, failed=1)
    assert run.survivor(run.watched[0].pid).why == (
        "own Unix session (setsid), ignores SIGTERM"
    )
    run.assert_all_gone()


def test_leak_is_found_with_the_default_grace(inner: Inner) -> None:
    run = inner.run_line("setsid $PYTHON $PROGRAMS/stays.py &", ini="")
    run.assert_leaked("own Unix session (setsid)")
    looked = re.search(r"; looked for ([\d.]+) s after", str(run.result.stdout))
    assert looked is not None
    assert float(looked[1]) >= 2.5


def test_failing_test_stays_visible_beside_its_leak(inner: Inner) -> None:
    run = inner.run(
        """
        def test_inner(tmux_pane, start):
            start(tmux_pane, "setsid $PYTHON $PROGRAMS/stays.py &")
            assert 1 == 2
        """,
        ini=SHORT_GRACE,
    )
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(failed=2)
    run.result.stdout.fnmatch_lines(
        [
            "E *assert 1 == 2",
            "LEAKED test_inner.py::test_inner",
            "FAILED test_inner.py::test_inner - assert 1 == 2",
            "LEAKED test_inner.py::test_inner - 1 process outlived *",
        ]
    )
    run.assert_all_gone()


def test_each_of_two_leaking_servers_is_reported(inner: Inner) -> None:
    run = inner.run(
        """
        def test_inner(tmux_server_factory, start):
            for _ in range(2):
                pane = tmux_server_factory().new_session().pane
                start(pane, "setsid $PYTHON $PROGRAMS/stays.py &")
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked("own Unix session (setsid)", "own Unix session (setsid)")
    headlines = [line for line in run.result.outlines if "; looked for" in line]
    assert len(headlines) == 2
    assert all(line.startswith("1 process outlived tmux server") for line in headlines)


def test_leak_is_reported_beside_a_clean_server(inner: Inner) -> None:
    """A second server that ends cleanly has no block."""
    run = inner.run(
        """
        def test_inner(tmux_server_factory, start):
            tmux_server_factory().new_session()
            pane = tmux_server_factory().new_session().pane
            start(pane, "setsid $PYTHON $PROGRAMS/stays.py &")
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked("own Unix session (setsid)")
    assert sum("; looked for" in line for line in run.result.outlines) == 1


# -- what moves on while it is looked at --------------------------------------


def test_look_is_repeated_until_nothing_moved_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chain of forks can show nothing, or a link that has exited."""
    me = os.getpid()
    with link_of_a_chain():
        stale = note_tree(me)
    with link_of_a_chain():
        steady = note_tree(me)
        looks = iter([ProcessTree(me), stale, steady])
        monkeypatch.setattr(survivors, "note_tree", lambda root, also: next(looks))
        assert survivors.steady_look(me) is steady


@contextmanager
def link_of_a_chain() -> Iterator[None]:
    """A child of this process that exits at the end."""
    with subprocess.Popen(["sleep", "1000"]) as link:
        try:
            yield
        finally:
            link.kill()


class NeverSeen:
    """A supervisor that holds what exits whenever it is looked at."""

    def __init__(self, *, empty: bool) -> None:
        with subprocess.Popen(["true"]) as gone:
            self.pid = gone.pid
        self._empty = empty

    def end(self, *_: float, **__: Any) -> Holding:
        return Holding(empty=False, children=(), server=False, statuses={})

    def note_tree(self) -> ProcessTree:
        return ProcessTree(self.pid)

    def look(self, *, marked: bool = False) -> Holding:
        return Holding(empty=self._empty, children=(), server=False, statuses={})


@pytest.mark.parametrize("empty", [True, False])
def test_what_cannot_be_seen_leaks_only_if_the_supervisor_still_holds_it(
    empty: bool,
) -> None:
    supervisor = cast(Supervisor, NeverSeen(empty=empty))
    verdict, _ = finder.end_and_judge(supervisor, server_pid=0, grace=0.0)
    assert [leak.why for leak in verdict.leaks] == (
        [] if empty else ["forks itself anew for ever, faster than it can be looked at"]
    )
