"""What tests do with panes and servers beside their own methods."""

import subprocess

from pytest_tmuxlife import Pane
from pytest_tmuxlife.terminal import tty


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
