"""Texts drawn at random: each arrives byte for byte, or is refused by name.

``SOAK_TEXTS=10000`` draws so many for each place and way, other ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from texts import PLACES, TEXTS, WAYS, Prompt, Reader, place

from pytest_tmuxlife import Server

_SOAK = int(os.environ.get("SOAK_TEXTS", "0"))
# A text that has gone wrong may leave the pane in any state: nothing to shrink on.
_PROFILE = settings(
    max_examples=_SOAK or 40,
    derandomize=not _SOAK,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]


@pytest.fixture(params=PLACES)
def there(
    request: pytest.FixtureRequest, tmux_server: Server, tmp_path: Path
) -> Iterator[Reader | Prompt]:
    with place(request.param, tmux_server, tmp_path) as found:
        yield found


@pytest.mark.parametrize("way", WAYS)
def test_text_arrives_byte_for_byte_or_is_refused(
    there: Reader | Prompt, way: str
) -> None:
    @_PROFILE
    @given(TEXTS)
    @example("a\n\x80\ufeff")
    @example("\r")
    @example("a\0b")
    @example("\udcff;")
    @example("\ud800")
    @example("\x1c")
    @example("one\n\ttwo\n\tthree\n")
    @example("x" * 4095)
    @example("x" * 4096)
    def arrives(text: str) -> None:
        there.assert_arrives(way, text)

    arrives()
