"""The tests run on the tmux that was asked for, or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from on_tmux import ASKED, DIRECTORY

from pytest_tmuxlife import Server
from pytest_tmuxlife.terminal.tmux.version import version_of

HERE = Path(__file__).parent
LIMIT = 120.0


def on_tmux(
    directory: Path | None, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the script with its directory of versions."""
    given = {} if directory is None else {DIRECTORY: str(directory)}
    kept = {name: text for name, text in os.environ.items() if name != DIRECTORY}
    return subprocess.run(
        [sys.executable, HERE / "on_tmux.py", *arguments],
        env={**kept, **given},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        cwd=HERE.parent,
    )


def test_servers_are_of_the_version_that_was_asked_for(tmux_server: Server) -> None:
    """As the server says itself; a bare tmux is of the same version."""
    tmux_server.new_session()
    (version,) = tmux_server.cmd("display-message", "-p", "#{version}").stdout
    assert version == os.environ.get(ASKED, version)
    if ASKED in os.environ:
        assert version_of("tmux") == f"tmux {version}"


def test_version_that_is_asked_for_is_the_one_that_is_used(tmp_path: Path) -> None:
    tmux = os.environ.get("TMUXLIFE_BIN") or shutil.which("tmux")
    said = version_of(tmux) if tmux else None
    assert tmux
    assert said
    version = said.removeprefix("tmux ")
    (tmp_path / version / "bin").mkdir(parents=True)
    (tmp_path / version / "bin" / "tmux").symlink_to(tmux)
    chosen = f"{__file__}::test_servers_are_of_the_version_that_was_asked_for"
    done = on_tmux(tmp_path, version, "-p", "no:cacheprovider", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"tests run on: {said}, as asked for" in done.stdout
    assert f"tmuxlife: {tmp_path}/{version}/bin/tmux" in done.stdout


@pytest.mark.parametrize(
    ("given", "version", "says"),
    [
        (False, "3.5a", f"{DIRECTORY} is not set: build a release with"),
        (True, "3.5a", "no tmux 3.5a: neither "),
        (True, "0.9", "/0.9/tmux says 'tmux 0.8', not 'tmux 0.9': build a release"),
    ],
    ids=["no directory", "not in the directory", "another version"],
)
def test_version_that_is_not_there_is_an_error_that_says_what_to_do(
    tmp_path: Path, given: bool, version: str, says: str
) -> None:
    (tmp_path / "0.9").mkdir()
    (tmp_path / "0.9" / "tmux").write_text("#!/bin/sh\necho tmux 0.8\n")
    (tmp_path / "0.9" / "tmux").chmod(0o755)
    done = on_tmux(tmp_path if given else None, version)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("on_tmux.py: ")
    assert says in done.stderr


def test_tests_refuse_another_tmux_than_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However they are started."""
    monkeypatch.setenv(ASKED, "0.9")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-q",
            HERE / "test_clock.py",
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        cwd=HERE.parent,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{ASKED}=0.9, but " in done.stderr
