"""The verdict under pytest-xdist, in local workers and in remote ones."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from inner import LEAKING, WITHOUT_BESIDE, Inner
from ssh import HOST, needs_sshd, way_in

from pytest_tmuxlife.containment.identity import Identity


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch, autoload=True)


@pytest.mark.parametrize("distribution", ["load", "loadgroup"])
def test_leak_in_a_worker_is_shown_whole_by_the_controller(
    inner: Inner, distribution: str
) -> None:
    result = inner.run(LEAKING, "-n", "2", "--dist", distribution)
    result.stdout.fnmatch_lines(
        [
            "*_ test_leaking _*",
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *",
            "*sleep * ALIVE *",
            "LEAKED test_inner.py::test_leaking - 1 process outlived tmux server *",
            "*= 1 failed, 2 passed in *",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    inner.assert_all_gone(1)


def test_a_leak_beside_an_error_comes_through_xdist_too(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.fixture
        def broken(tmux_pane, leave):
            leave(tmux_pane)
            yield
            raise RuntimeError("teardown of broken")

        def test_both(broken):
            pass
        """,
        "-n",
        "1",
    )
    result.stdout.fnmatch_lines(
        ["E *RuntimeError: teardown of broken", "LEAKED test_inner.py::test_both"]
    )
    inner.assert_all_gone(1)


USES_ONE_RULE = """
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

@pytest.mark.parametrize("seconds", [1000, 2000])
def test_allowed(tmux_pane, leave, seconds):
    leave(tmux_pane, seconds)
"""


def test_rules_that_workers_used_are_those_of_the_run(inner: Inner) -> None:
    """Each worker uses one; what neither uses is warned of once."""
    (inner.pytester.path / "pytest.ini").write_text(
        "[pytest]\ntmux_leak_grace = 0.6\ntmux_leak_ignore =\n"
        "  sleep 1000 # one\n  sleep 2000 # two\n  sleep 3000 # three\n"
    )
    result = inner.run(USES_ONE_RULE, "-n2")
    result.stdout.no_fnmatch_line("warning: 'sleep [12]000'*")
    warned = [line for line in result.outlines if line.startswith("warning: ")]
    assert len(warned) == 1
    assert "'sleep 3000' of tmux_leak_ignore" in warned[0]


def test_setting_of_odd_bytes_reaches_a_worker(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel of xdist takes no such text."""
    path = inner.pytester.path / os.fsdecode(b"tmux-\xff")
    path.symlink_to(shutil.which("tmux") or "")
    monkeypatch.setenv("TMUXLIFE_BIN", str(path))
    result = inner.run("def test_it(tmux_pane): tmux_pane.run('true')", "-n1")
    result.assert_outcomes(passed=1)


def test_worker_that_crashes_keeps_what_it_had_reported(inner: Inner) -> None:
    """The test that it was in is named, for nothing was verified there."""
    result = inner.run(
        f"import os\n{LEAKING}\ndef test_crashing(tmux_pane): os._exit(3)",
        "-n1",
        "--tmux-leak-report=report.json",
    )
    result.stdout.fnmatch_lines(
        [
            "*= tmux leaks =*",
            "test_inner.py::test_leaking: sleep *: ignores SIGHUP",
            "not verified: test_inner.py::test_crashing: its xdist worker crashed",
            "1 leak in 1 test: 1 process",
        ]
    )
    report = json.loads((inner.pytester.path / "report.json").read_text())
    assert [one["owner"] for one in report["run"]["unverified"]] == [
        "test_inner.py::test_crashing"
    ]
    inner.assert_all_gone(1)


# -- workers elsewhere ------------------------------------------------------------

# Of the worker: where it is, and what was said to the controller only.
ELSEWHERE = """
import os

from pytest_tmuxlife.hooks.stash import SETTINGS_KEY

def test_place(tmux_pane, request):
    assert os.path.basename(os.getcwd()) == "elsewhere"
    assert tmux_pane.screen().size == (90, 33)
    tmux = request.config.stash[SETTINGS_KEY].tmux
    assert os.path.basename(tmux) == "another-tmux"

def test_leaking(tmux_pane, leave):
    leave(tmux_pane)
"""


@pytest.fixture
def elsewhere(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tests, and settings that only the controller is given."""
    inner.pytester.makepyfile(test_inner=ELSEWHERE)
    tmux = inner.pytester.path / "another-tmux"
    tmux.write_text(f'#!/bin/sh\nexec {shutil.which("tmux")} "$@"\n')
    tmux.chmod(0o755)
    directory = inner.pytester.path / "copies" / "elsewhere"
    shutil.copytree(inner.pytester.path, directory)
    monkeypatch.setenv("TMUXLIFE_SIZE", "90x33")
    return directory


def run_elsewhere(inner: Inner, place: str, directory: Path) -> None:
    """What the worker there finds is shown and written here."""
    result = inner.run(
        ELSEWHERE,
        f"--tx={place}//python={sys.executable}//chdir={directory}",
        "--dist=load",
        "--tmux-leak-report=report.json",
        f"--tmux-bin={inner.pytester.path / 'another-tmux'}",
        "--ignore=copies",
        # The environment, where they stand for other runs, does not travel.
        *WITHOUT_BESIDE,
    )
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_leaking",
            "*sleep * ALIVE *",
            "1 leak in 1 test: 1 process",
            "*= 1 failed, 2 passed in *",
        ]
    )
    report = json.loads((inner.pytester.path / "report.json").read_text())
    assert [one["owner"] for one in report["findings"]] == [
        "test_inner.py::test_leaking"
    ]
    assert not (directory / "report.json").exists()
    lines = (directory / "survivors").read_text().splitlines()
    [survivor] = [Identity.parse(line) for line in lines]
    assert survivor is not None
    assert not survivor.is_alive


def test_worker_of_another_directory_and_interpreter(
    inner: Inner, elsewhere: Path
) -> None:
    run_elsewhere(inner, "popen", elsewhere)


@needs_sshd
def test_worker_over_ssh(
    inner: Inner, elsewhere: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It has neither our environment nor our options, but for what travels."""
    with way_in(tmp_path_factory.mktemp("ssh")) as config:
        run_elsewhere(inner, f"ssh={HOST}//ssh_config={config}", elsewhere)
