"""What is kept on the config and on items, by these keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

# Nothing of it is needed to name it.
if TYPE_CHECKING:
    from pytest_tmuxlife.harness.harness import Harness
    from pytest_tmuxlife.harness.keeper import Keeper
    from pytest_tmuxlife.hooks.middle import Middle
    from pytest_tmuxlife.run_settings import Settings

SETTINGS_KEY: pytest.StashKey[Settings] = pytest.StashKey()
ENVIRONMENT_KEY: pytest.StashKey[Mapping[str, str]] = pytest.StashKey()
HARNESS_KEY: pytest.StashKey[Harness] = pytest.StashKey()
# Where this process is watched.
MIDDLE_KEY: pytest.StashKey[Middle] = pytest.StashKey()
KEEPER_KEY: pytest.StashKey[Keeper] = pytest.StashKey()
# Keepers whose verdicts stand in no report yet.
UNREPORTED_KEY: pytest.StashKey[list[Keeper]] = pytest.StashKey()

# In the input of an xdist worker: who the controller is.
CONTROLLER = "tmuxlife_controller"


def harness_of(config: pytest.Config) -> Harness:
    """The run's harness, made when it is first asked for."""
    harness = config.stash.get(HARNESS_KEY, None)
    if harness is None:
        from pytest_tmuxlife.containment.identity import Identity
        from pytest_tmuxlife.harness.harness import Harness

        given = getattr(config, "workerinput", {}).get(CONTROLLER, "")
        controller = Identity.parse(given)
        harness = config.stash[HARNESS_KEY] = Harness(
            config.stash[SETTINGS_KEY],
            config.stash[ENVIRONMENT_KEY],
            # Of a worker on another machine it names a stranger.
            controller if controller and controller.is_parent else None,
        )
    return harness
