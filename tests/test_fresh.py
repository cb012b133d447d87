"""What a wait looks at behind thousands of rows: the last ones, and all in time."""

from collections.abc import Callable

import pytest
from panes import Gate

from pytest_tmuxlife import Pane, Server
from pytest_tmuxlife.terminal.dialogue.fresh import FreshText

# So small a share of the time that it never comes, and one that always comes.
NEVER, ALWAYS = 1e-9, 1e9
MIDDLE = "\n1500\n"


def shows(*texts: str) -> Callable[[str], str | None]:
    """Finds the first of *texts* that is shown, the leftmost one."""

    def search(shown: str) -> str | None:
        places = {shown.find(text): text for text in texts if text in shown}
        return places[min(places)] if places else None

    return search


@pytest.fixture
def pane(tmux_server: Server, gate: Gate) -> Pane:
    """Three thousand rows, and five thousand more behind the gate."""
    line = "seq 3000; echo printed; cat gate; seq 4000 8999; echo done; exec cat"
    pane = tmux_server.new_pane(line)
    pane.wait_for_text("printed")
    return pane


@pytest.mark.parametrize(("share", "found"), [(NEVER, None), (ALWAYS, MIDDLE)])
def test_all_rows_are_looked_at_as_often_as_they_may_be(
    pane: Pane, share: float, found: str | None
) -> None:
    fresh = FreshText(pane, share)
    assert fresh.find(shows("nothing")) is None
    assert not fresh.is_owed
    assert fresh.find(shows(MIDDLE)) == found
    assert fresh.is_owed is (found is None)
    assert (fresh.next_look is not None) is fresh.is_owed


def test_all_rows_are_looked_at_soon_once_they_stand_still(
    pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pytest_tmuxlife.terminal.dialogue.fresh._MOVING", NEVER / ALWAYS
    )
    fresh = FreshText(pane, ALWAYS)
    assert fresh.find(shows("nothing")) is None
    # Whether they move is not known by one look.
    assert fresh.find(shows(MIDDLE)) is None
    assert fresh.is_owed
    assert fresh.find(shows(MIDDLE)) == MIDDLE


def test_last_rows_are_looked_at_each_time(pane: Pane) -> None:
    fresh = FreshText(pane, NEVER)
    assert fresh.find(shows("nothing")) is None
    assert fresh.find(shows("printed", MIDDLE)) == "printed"


def test_first_of_several_is_decided_by_all_rows(pane: Pane) -> None:
    fresh = FreshText(pane, NEVER)
    assert fresh.find(shows("nothing")) is None
    assert fresh.find(shows("printed", MIDDLE), is_first_asked=True) == MIDDLE


def test_all_rows_are_looked_at_behind_a_send(pane: Pane, gate: Gate) -> None:
    fresh = FreshText(pane, NEVER)
    assert fresh.find(shows("nothing")) is None
    gate.wait_for_reader()
    gate.open()
    pane.wait_for_text("done")
    pane.send_line("typed")
    pane.wait_for_text("typed")
    # Of what came before the send nothing is fresh.
    assert fresh.find(shows("\n8990\n")) is None
    assert not fresh.is_owed


def test_what_no_look_has_seen_is_found_at_the_end_of_the_wait(
    pane: Pane, gate: Gate
) -> None:
    """A row that is passed over while a wait looks at the last ones only."""
    fresh = FreshText(pane, NEVER)
    assert fresh.find(shows("nothing")) is None
    gate.wait_for_reader()
    gate.open()
    pane.wait_for_text("done")
    passed_over = shows("\n6000\n")
    assert fresh.find(passed_over) is None
    assert pane.waits._found_at_last(fresh, passed_over) == "\n6000\n"


def test_nothing_is_looked_at_once_more_if_all_was(pane: Pane) -> None:
    fresh = FreshText(pane, ALWAYS)
    assert fresh.find(shows("nothing")) is None
    assert pane.waits._found_at_last(fresh, shows(MIDDLE)) is None
