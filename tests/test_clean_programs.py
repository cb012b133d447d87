"""Programs that end with their pane, and strangers: nobody is accused."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import PROGRAMS, SHORT_GRACE, Inner, needs

STRANGER = [sys.executable, str(PROGRAMS / "stays.py"), "HUP"]


def shows(line: str, text: str) -> str:
    """An inner test that leaves a program running which shows *text*."""
    return f"""
        def test_inner(tmux_pane, tmp_path, watch):
            (tmp_path / "file").write_text("first row\\\\n" * 100)
            tmux_pane.send_line({line!r})
            tmux_pane.wait_for_text({text!r})
            shell, program = tmux_pane.processes()[:2]
            watch(shell.pid, program.pid)
        """


def test_idle_shell_is_clean(inner: Inner) -> None:
    source = "def test_inner(tmux_pane, watch):\n    watch(tmux_pane.pid)"
    inner.run(source).assert_clean()


def test_background_job_that_ends_by_itself_is_clean(inner: Inner) -> None:
    """The hang-up does nothing to it; it is gone within the grace."""
    run = inner.run(
        """
        def test_inner(tmux_pane, start):
            start(tmux_pane, "nohup sleep 1.5 > out.log 2>&1 & echo $! > $READY")
        """
    )
    run.assert_clean()
    assert len(run.watched) == 1


def test_background_job_that_the_shell_hangs_up_is_clean(inner: Inner) -> None:
    inner.run_line("$PYTHON $PROGRAMS/stays.py &", ini="").assert_clean()


def test_stopped_job_of_a_shell_is_clean(inner: Inner) -> None:
    """The kernel continues what a shell leaves stopped behind, for the HUP."""
    run = inner.run(
        """
        def test_inner(tmux_pane, start):
            start(tmux_pane, "$PYTHON $PROGRAMS/stays.py")
            tmux_pane.send_key("C-z")
            tmux_pane.wait_for_prompt()
        """
    )
    run.assert_clean()


def test_program_that_cleans_up_for_a_second_is_clean(inner: Inner) -> None:
    run = inner.run_line("$PYTHON $PROGRAMS/cleans_up.py", ini="")
    run.assert_clean()
    assert len(list(inner.pytester.path.rglob("cleaned"))) == 1


@needs("vim")
def test_open_editor_is_clean(inner: Inner) -> None:
    inner.run(shows("vim -u NONE -i NONE -n file", "first row")).assert_clean()


@needs("less")
def test_open_pager_is_clean(inner: Inner) -> None:
    inner.run(shows("less file", "first row")).assert_clean()


def test_python_repl_left_running_is_clean(inner: Inner) -> None:
    inner.run(shows("$PYTHON -q", ">>>")).assert_clean()


@needs("top")
def test_top_left_running_is_clean(inner: Inner) -> None:
    inner.run(shows("top", "load average")).assert_clean()


@needs("watch")
def test_watch_left_running_is_clean(inner: Inner) -> None:
    inner.run(shows("watch -n 0.1 date", "Every 0.1s")).assert_clean()


# -- strangers ----------------------------------------------------------------


class Strangers:
    """Programs like those of the inner run that it has nothing to do with."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo)
        self._fifo = os.open(fifo, os.O_RDWR)
        self._environment = {**os.environ, "READY": str(fifo)}
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> int:
        """Pid of a daemon that ignores HUP and is ready."""
        self._started.append(
            subprocess.Popen(STRANGER, start_new_session=True, env=self._environment)
        )
        assert select.select([self._fifo], [], [], 20)[0], "the stranger is not ready"
        return int(os.read(self._fifo, 64))

    @property
    def all_alive(self) -> bool:
        """There are some, and all of them run."""
        alive = [one.poll() is None for one in self._started]
        return bool(alive) and all(alive)

    def end(self) -> None:
        for one in self._started:
            one.kill()
            one.wait()
        os.close(self._fifo)


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Strangers]:
    strangers = Strangers(tmp_path / "stranger-is-ready")
    yield strangers
    strangers.end()


def test_unrelated_daemon_that_was_there_before_is_left_alone(
    inner: Inner, strangers: Strangers
) -> None:
    strangers.start()
    inner.run_line("$PYTHON $PROGRAMS/stays.py", ini="").assert_clean()
    assert strangers.all_alive


def test_unrelated_daemon_is_left_alone_while_its_like_is_ended(
    inner: Inner, strangers: Strangers
) -> None:
    strangers.start()
    run = inner.run_line("$PYTHON $PROGRAMS/stays.py HUP")
    run.assert_leaked("ignores SIGHUP")
    assert strangers.all_alive


def test_unrelated_process_that_starts_meanwhile_is_left_alone(
    inner: Inner, strangers: Strangers, tmp_path: Path
) -> None:
    asked, told = tmp_path / "asked", tmp_path / "told"
    os.mkfifo(asked)
    os.mkfifo(told)

    def start_when_asked() -> None:
        asked.read_text()
        strangers.start()
        told.write_text("started")

    helper = threading.Thread(target=start_when_asked, daemon=True)
    helper.start()
    run = inner.run(
        f"""
        from pathlib import Path

        def test_inner(tmux_pane, start):
            start(tmux_pane, "$PYTHON $PROGRAMS/stays.py")
            Path({str(asked)!r}).write_text("now")
            assert Path({str(told)!r}).read_text() == "started"
        """
    )
    run.assert_clean()
    assert strangers.all_alive


# -- what is allowed ----------------------------------------------------------


def test_allowed_process_is_no_leak_and_is_ended(inner: Inner) -> None:
    run = inner.run(
        """
        def test_inner(tmux_pane, tmux_leaks, start):
            tmux_leaks.ignore(r"stays[.]py", reason="its maker promised to mend it")
            start(tmux_pane, "setsid $PYTHON $PROGRAMS/stays.py &")
        """
    )
    run.assert_clean()
    assert len(run.watched) == 1


def test_process_allowed_by_the_ini_file_is_no_leak_and_is_ended(inner: Inner) -> None:
    ini = "tmux_leak_ignore =\n    stays[.]py # its maker promised to mend it"
    run = inner.run_line("setsid $PYTHON $PROGRAMS/stays.py &", ini=ini)
    run.assert_clean()
    assert len(run.watched) == 1


KEEP = """
    import os

    pids = []

    def test_inner(tmux_pane, tmux_leaks, start):
        tmux_leaks.ignore("stays", reason="shared by the tests below", keep={keep})
        pids.extend(start(tmux_pane, "setsid $PYTHON $PROGRAMS/stays.py &"))

    def test_next():
        assert os.path.exists(f"/proc/{{pids[0]}}") is {keep}
"""


@pytest.mark.parametrize("keep", [True, False])
def test_allowed_process_lives_until_the_run_ends_only_if_kept(
    inner: Inner, keep: bool
) -> None:
    run = inner.run(KEEP.format(keep=keep))
    run.result.assert_outcomes(passed=2)
    run.assert_all_gone()
    assert len(run.watched) == 1


def test_process_that_no_rule_allows_is_reported_beside_an_allowed_one(
    inner: Inner,
) -> None:
    run = inner.run(
        """
        def test_inner(tmux_pane, tmux_leaks, start):
            tmux_leaks.ignore("stays.py TERM", reason="a known one")
            start(tmux_pane, "setsid $PYTHON $PROGRAMS/stays.py TERM &")
            start(tmux_pane, "setsid $PYTHON $PROGRAMS/stays.py &")
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked_outcome()
    allowed, accused = (one.pid for one in run.watched)
    assert [row.pid for row in run.survivors] == [accused]
    run.result.stdout.fnmatch_lines([f"allowed: stays {allowed}: a known one"])
    run.assert_all_gone()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ('"(", reason="x"', "is no regular expression"),
        ('".*", reason="x"', "would allow every process"),
        ('"stays", reason=" "', "needs a reason"),
    ],
)
def test_rule_that_allows_too_much_or_says_too_little_is_refused(
    inner: Inner, arguments: str, complaint: str
) -> None:
    run = inner.run(f"def test_inner(tmux_leaks):\n    tmux_leaks.ignore({arguments})")
    run.result.assert_outcomes(failed=1)
    run.result.stdout.fnmatch_lines([f"E *ValueError: *{complaint}*"])


# -- looking while the test runs ----------------------------------------------


def test_check_in_a_running_test_names_an_orphan_and_nothing_else(
    inner: Inner,
) -> None:
    run = inner.run(
        """
        def test_inner(tmux_pane, tmux_leaks, start):
            start(tmux_pane, "$PYTHON $PROGRAMS/stays.py &")
            assert tmux_leaks.check() == []
            (daemon,) = start(tmux_pane, "$PYTHON $PROGRAMS/double_forks.py")
            (leak,) = tmux_leaks.check()
            assert leak.process.pid == daemon
            assert leak.why == "double fork into a Unix session of its own"
            assert leak.kind == "process"
            assert leak.seen_by[0] == "lineage"
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked_outcome()
    run.assert_all_gone()


def test_check_in_a_running_test_names_what_outlived_its_pane(inner: Inner) -> None:
    run = inner.run(
        """
        def test_inner(tmux_server, tmux_pane, tmux_leaks, ready):
            argv = ["sh", "-c", 'exec "$PYTHON" "$PROGRAMS/stays.py" HUP']
            session = tmux_server.new_session(program=argv)
            (agent,) = ready()
            assert tmux_leaks.check() == []
            session.kill()
            (leak,) = tmux_leaks.check()
            assert leak.process.pid == agent
            assert leak.why.startswith("ignores SIGHUP, pane process")
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked_outcome()
    run.assert_all_gone()


def test_assert_none_fails_a_running_test_with_the_leaks(inner: Inner) -> None:
    run = inner.run(
        """
        import pytest
        from pytest_tmuxlife import LeakError

        def test_inner(tmux_pane, tmux_leaks, start):
            tmux_leaks.assert_none()
            (daemon,) = start(tmux_pane, "$PYTHON $PROGRAMS/double_forks.py")
            with pytest.raises(LeakError, match=f"double_forks {daemon}") as caught:
                tmux_leaks.assert_none(grace=0.1)
            assert [leak.process.pid for leak in caught.value.leaks] == [daemon]
            assert isinstance(caught.value, AssertionError)
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked_outcome()
    run.assert_all_gone()


def test_assert_none_waits_for_what_is_on_its_way_out(inner: Inner) -> None:
    run = inner.run(
        """
        def test_inner(tmux_server, tmux_leaks, ready):
            session = tmux_server.new_session(
                program=["sh", "-c", 'exec "$PYTHON" "$PROGRAMS/cleans_up.py"']
            )
            tmux_server.new_session()
            ready()
            session.kill()
            tmux_leaks.assert_none(grace=20)
        """
    )
    run.assert_clean()
