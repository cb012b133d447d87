"""A server that was started ahead of time is like one that was not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spares
from inner import Inner

TESTS = Path(__file__).parent
SOURCE = """
import json
import sys

import pytest

sys.path.insert(0, {tests!r})
import portrait

OTHER = pytest.mark.tmux(size=(101, 37), history_limit=1234, remain_on_exit=True)
MARKS = [OTHER if marked else () for marked in {marked!r}]
PARAMS = [pytest.param(i, marks=marks) for i, marks in enumerate(MARKS)]

@pytest.mark.parametrize("number", PARAMS)
def test_it({fixtures}, request, spares, number):
    if number == 0 and {ahead!r}:
        request.getfixturevalue("spare_pid")()
    assert spares.taken == ({ahead!r} and number)
    found = portrait.of_server(tmux_server)
    if "tmux_pane" in {fixtures!r}:
        found |= portrait.of_pane(tmux_server, tmux_pane)
    with open(f"portrait-{{number}}", "w") as file:
        json.dump(found, file)

def test_last(tmux_pane):
    pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    inner = Inner(pytester, monkeypatch)
    inner.add_to_conftest(spares.CONFTEST)
    return inner


def portrait_of_second(
    inner: Inner,
    monkeypatch: pytest.MonkeyPatch,
    fixtures: str,
    *,
    ahead: bool,
    marked: tuple[bool, bool],
) -> dict[str, Any]:
    """That of the second test of two, of which some have options of their own."""
    monkeypatch.setenv("TMUXLIFE_SPARE", "on" if ahead else "off")
    source = SOURCE.format(
        tests=str(TESTS), fixtures=fixtures, marked=marked, ahead=ahead
    )
    inner.run(source).assert_outcomes(passed=3)
    portrait = (inner.pytester.path / "portrait-1").read_text()
    return dict(json.loads(portrait))


@pytest.mark.parametrize("fixtures", ["tmux_server", "tmux_server, tmux_pane"])
@pytest.mark.parametrize(
    "marked", [(False, False), (False, True), (True, False)], ids=str
)
def test_nothing_that_tested_code_sees_is_another(
    inner: Inner,
    monkeypatch: pytest.MonkeyPatch,
    fixtures: str,
    marked: tuple[bool, bool],
) -> None:
    """Options, environment, formats, process and descriptors of server and shell."""
    fresh, spare = (
        portrait_of_second(inner, monkeypatch, fixtures, ahead=ahead, marked=marked)
        for ahead in (False, True)
    )
    assert len(fresh["show-options -g"]) > 30
    assert spare == fresh
