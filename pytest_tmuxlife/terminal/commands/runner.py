"""Which way a command is run: as the pane's program allows, and as it was asked for."""

from __future__ import annotations

from pytest_tmuxlife.errors import PaneNotReady
from pytest_tmuxlife.terminal.commands.prompt_run import PromptRun
from pytest_tmuxlife.terminal.commands.reported_run import ReportedRun
from pytest_tmuxlife.terminal.commands.run import Run
from pytest_tmuxlife.terminal.dialogue.dialogue import Dialogue


def run_in(pane: Dialogue, command: str, timeout: float, *, exact: bool = False) -> Run:
    """A run of *command*, in the way that the pane's program allows.

    Raises:
        PaneNotReady: Its prompt is not known.
        TmuxLifeError: It cannot be *exact*.
    """
    launch = pane.launch
    if exact:
        # Not imported by whoever never asks for it.
        from pytest_tmuxlife.terminal.commands.exact import exact_run

        return exact_run(pane, command, timeout)
    if pane.channel is not None and launch.house_prompt is not None:
        return ReportedRun(pane, command, timeout, pane.channel, launch.house_prompt)
    if launch.prompt is not None:
        return PromptRun(pane, command, timeout)
    raise PaneNotReady(
        f"no prompt is known of {pane.program} in pane {pane.id}; use send_line and "
        "wait_for_text, or start it as Program(argv, prompt=...)",
        pane=pane.id,
        state="unknown prompt",
    )
