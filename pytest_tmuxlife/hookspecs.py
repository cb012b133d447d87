"""The hooks that a conftest or another plugin may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_tmuxlife.containment.processes import ProcessInfo
    from pytest_tmuxlife.leaks.leak import Leak


@pytest.hookspec
def pytest_tmuxlife_leak(item: pytest.Item, leaks: list[Leak]) -> None:
    """A test has left something.

    Called once for each test that did, in its teardown, in the process that
    ran it. What its tmux servers left is ended by then (with ``--pdb``: not
    yet). What the hook raises is shown, and fails the test; the verdict stands.

    Args:
        item: The test.
        leaks: What it left, without what is allowed or known.
    """


@pytest.hookspec(firstresult=True)
def pytest_tmuxlife_ignore(process: ProcessInfo) -> str | None:
    """Whether a process may outlive its test: the reason why, or None.

    Called, maybe several times, for each process that is still there when the
    tmux server of a test has ended. The first reason counts. What it raises
    allows nothing, is shown, and fails the test.

    Args:
        process: As it was seen just now.
    """
