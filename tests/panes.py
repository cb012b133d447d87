"""What tests do with panes and servers beside their own methods."""

import errno
import os
import select
import subprocess
from pathlib import Path

import pytest

from pytest_tmuxlife import Pane
from pytest_tmuxlife.clock import Deadline
from pytest_tmuxlife.terminal.commands import exact, prompt_run, reported_run, run
from pytest_tmuxlife.terminal.typing import tty


def wait_for_program(pane: Pane, name: str) -> None:
    """Until *name* has the terminal: input before that is the shell's still.

    A signal that the terminal sends before that can be lost in the shell's
    child, which has not begun the program yet.
    """

    def is_there() -> bool | None:
        return tty.foreground_name(pane.pid).startswith(name) or None

    pane.wait_until(is_there, 10, f"program {name}")


def tmux(env: dict[str, str], *arguments: str) -> list[str]:
    """Lines that a bare tmux prints."""
    done = subprocess.run(
        ["tmux", *arguments], env=env, check=True, capture_output=True, timeout=30
    )
    return done.stdout.decode().splitlines()


class Gate:
    """A FIFO at which a program of the test waits: an event in place of a sleep.

    Args:
        path: Where it is made.
    """

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self._fd = -1

    def wait_for_reader(self) -> None:
        """Until the program waits there."""
        deadline = Deadline(60)
        while self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO or deadline.expired:
                    raise
                select.select([], [], [], 0.005)

    def open(self) -> None:
        """Let the program go on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give prompts that are on their way more than a second, for a busy machine."""
    for module in (run, reported_run, prompt_run, exact):
        for limit in {"ON_ITS_WAY", "PROMPT_LIMIT"} & vars(module).keys():
            monkeypatch.setattr(module, limit, 30.0)


def wait_for_end(pane: Pane) -> None:
    """Until its first process has exited."""
    pane.wait_until(lambda: pane.has_ended or None, 60, "the end")
