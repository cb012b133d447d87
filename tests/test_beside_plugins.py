"""The verdict beside plugins that rerun tests, and beside others."""

from __future__ import annotations

import pytest
from inner import LEAKING, RUN_LIMIT, Inner


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


# -- reruns -----------------------------------------------------------------------

LEAKS_ONCE = """
import os
from pytest_tmuxlife.containment.identity import Identity

def test_leaks_once(tmux_pane, leave, request):
    path = request.path.parent / "survivors"
    if path.exists():
        alive = [one for one in map(Identity.parse, path.read_text().splitlines())
                 if one.is_alive]
        print("FROM THE FIRST ATTEMPT:", len(alive))
    else:
        leave(tmux_pane)
"""


def test_leak_in_an_attempt_that_was_rerun_fails_the_run(inner: Inner) -> None:
    """Survivors of the first attempt are gone before the second starts."""
    result = inner.run(LEAKS_ONCE, "--reruns", "1", "-s")
    result.stdout.fnmatch_lines(
        [
            "*FROM THE FIRST ATTEMPT: 0",
            "*= tmux leaks in attempts that were rerun =*",
            "LEAKED test_inner.py::test_leaks_once",
            "*ALIVE*",
            "LEAKED test_inner.py::test_leaks_once - 1 process outlived tmux server * "
            "(in an attempt that was rerun; it fails the run)",
        ]
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    inner.assert_all_gone(1)


def test_leak_in_a_rerun_of_a_worker_fails_the_run(inner: Inner) -> None:
    result = inner.run(LEAKS_ONCE, "--reruns", "1", "-n", "1")
    result.stdout.fnmatch_lines(["LEAKED * (in an attempt that was rerun; it fails*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_leak_in_every_attempt_is_a_failure(inner: Inner) -> None:
    result = inner.run(LEAKING, "--reruns", "1")
    result.stdout.fnmatch_lines(
        [
            "*LEAKED * (in an attempt that was rerun*",
            "LEAKED test_inner.py::test_leaking*",
        ],
        consecutive=False,
    )
    assert result.ret == 1
    inner.assert_all_gone(2)


# -- pytest's own options -----------------------------------------------------------


def test_leak_stops_a_run_that_stops_at_failures(inner: Inner) -> None:
    result = inner.run(f"{LEAKING}\ndef test_next(): print('NEXT RAN')", "-x", "-s")
    result.stdout.fnmatch_lines(["LEAKED *", "*stopping after 1 failures*"])
    result.stdout.no_fnmatch_line("*NEXT RAN*")
    inner.assert_all_gone(1)


def test_leak_is_among_the_last_failures(inner: Inner) -> None:
    """``--lf`` runs it again, and no other."""
    inner.pytester.makepyfile(test_inner=LEAKING)
    inner.pytester.runpytest_subprocess(timeout=RUN_LIMIT)
    result = inner.pytester.runpytest_subprocess("--lf", timeout=RUN_LIMIT)
    result.stdout.fnmatch_lines(["collected 1 item", "LEAKED *::test_leaking*"])
    result.assert_outcomes(passed=1, failed=1)
    inner.assert_all_gone(2)


# -- others ---------------------------------------------------------------------------


@pytest.fixture
def beside(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> Inner:
    """Runs into which every plugin that is installed is loaded."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
    ini = inner.pytester.path / "pytest.ini"
    # Said, or pytest-asyncio warns.
    ini.write_text(
        f"{ini.read_text()}\nasyncio_default_fixture_loop_scope = function\n"
    )
    return inner


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_leak_is_found_with_every_plugin_loaded(beside: Inner, workers: str) -> None:
    result = beside.run(LEAKING, workers)
    result.stdout.fnmatch_lines(["LEAKED *::test_leaking - 1 process outlived *"])
    result.assert_outcomes(passed=2, failed=1)
    beside.assert_all_gone(1)


def test_each_leak_is_its_test_s_in_any_order(beside: Inner) -> None:
    """pytest-randomly shuffles the tests and seeds what is random before each."""
    source = """
    import pytest

    @pytest.mark.parametrize("seconds", range(1001, 1005))
    def test_leaking(tmux_pane, leave, seconds):
        leave(tmux_pane, seconds)
    """
    result = beside.run(source, "--randomly-seed=4", "-v")
    result.stdout.fnmatch_lines(["Using --randomly-seed=4"])
    order = [line for line in result.outlines if line.startswith("test_inner.py::")]
    ran = [line.split()[0] for line in order if " PASSED" in line]
    assert len(ran) == 4
    blocks = result.stdout.str().split("LEAKED test_inner.py::test_leaking[")[1:]
    for block in (one for one in blocks if "ALIVE" in one):
        assert f"sleep {block[:4]}" in block
    beside.assert_all_gone(4)


def test_leak_of_a_coroutine_is_found(beside: Inner) -> None:
    source = """
    import asyncio
    import pytest

    @pytest.mark.asyncio
    async def test_leaking(tmux_pane, leave):
        await asyncio.to_thread(leave, tmux_pane)
        assert (await asyncio.to_thread(tmux_pane.run, "echo a")).output == "a\\n"
    """
    result = beside.run(source)
    result.stdout.fnmatch_lines(["LEAKED *::test_leaking - 1 process outlived *"])
    result.assert_outcomes(passed=1, failed=1)
    beside.assert_all_gone(1)


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_leak_is_found_while_coverage_is_measured(beside: Inner, workers: str) -> None:
    result = beside.run(LEAKING, "--cov=test_inner", "--cov-report=term", workers)
    result.stdout.fnmatch_lines(
        ["test_inner.py * 100%", "LEAKED *::test_leaking - 1 process outlived *"]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    beside.assert_all_gone(1)


def test_process_of_xprocess_is_not_accused(beside: Inner) -> None:
    """It is no descendant of a tmux server; it lives on, as it is meant to."""
    beside.pytester.makepyfile(
        test_inner="""
        import pytest
        from xprocess import ProcessStarter

        @pytest.fixture
        def daemon(xprocess):
            class Starter(ProcessStarter):
                pattern = "ready"
                args = ["sh", "-c", "echo ready; exec sleep 1000"]
                terminate_on_interrupt = True

            xprocess.ensure("daemon", Starter)
            yield xprocess.getinfo("daemon")
            xprocess.getinfo("daemon").terminate()

        def test_it(daemon, tmux_pane):
            assert tmux_pane.run("true").exit_code == 0

        def test_leaking(daemon, tmux_pane, leave):
            leave(tmux_pane)
            assert daemon.isrunning()
        """
    )
    result = beside.pytester.runpytest_subprocess(timeout=RUN_LIMIT)
    result.stdout.fnmatch_lines(["LEAKED *::test_leaking - 1 process outlived *"])
    result.assert_outcomes(passed=2, failed=1)
    beside.assert_all_gone(1)


def test_fixtures_of_libtmux_work_beside_ours(beside: Inner) -> None:
    """Each has its own server; ours is verified."""
    source = """
    def test_it(session, tmux_session, tmux_pane, leave):
        assert session.server.socket_name != tmux_session.name
        assert session.cmd("display", "-p", "#{pid}").stdout != (
            tmux_session.libtmux.cmd("display", "-p", "#{pid}").stdout
        )
        leave(tmux_pane)
    """
    result = beside.run(source)
    result.stdout.fnmatch_lines(["LEAKED *::test_it - 1 process outlived *"])
    result.assert_outcomes(passed=1, failed=1)
    beside.assert_all_gone(1)
