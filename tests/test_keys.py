"""Keys: each arrives as the terminal's code for it, none as its name."""

import string
from pathlib import Path

import pytest

from pytest_tmuxlife import Pane, Server, TmuxLifeError
from pytest_tmuxlife.clock import holds_within
from pytest_tmuxlife.terminal.typing import keys

pytestmark = pytest.mark.tmux(timeout=30)

CHARACTERS = "".join(chr(code) for code in range(0x20, 0x7F))
LETTERS = string.ascii_letters + "@[\\]^_"


class Recorder:
    """A raw program that keeps what it gets."""

    def __init__(self, server: Server, path: Path) -> None:
        self._path = path
        self.pane = server.new_pane(
            f"stty raw -echo; : > {path}; echo ready; exec cat >> {path}"
        )
        self.pane.wait_for_text("ready")

    def gets(self, *keys: str) -> bytes:
        """What arrives of *keys*, and of what was pressed before."""
        self.pane.send_key(*keys)
        self.pane.send_text("<end>")
        assert holds_within(60, lambda: self._path.read_bytes().endswith(b"<end>"))
        return self._path.read_bytes().removesuffix(b"<end>")


@pytest.fixture
def recorder(tmux_server: Server, tmp_path: Path) -> Recorder:
    return Recorder(tmux_server, tmp_path / "got")


def test_every_character_is_a_key(recorder: Recorder) -> None:
    assert recorder.gets(*CHARACTERS) == CHARACTERS.encode()


def test_one_character_at_a_time_is_a_key(recorder: Recorder) -> None:
    characters = "^;\\-#{}'\"$~é漢"
    for character in characters:
        recorder.pane.send_key(character)
    assert recorder.gets() == characters.encode()


@pytest.mark.parametrize("modifier", ["C-", "^"])
def test_control_of_a_character_is_its_control_character(
    recorder: Recorder, modifier: str
) -> None:
    keys = [modifier + letter for letter in LETTERS]
    codes = bytes(ord(letter) & 0x1F for letter in LETTERS)
    assert recorder.gets(*keys) == codes


def test_meta_of_a_character_has_an_escape_before_it(recorder: Recorder) -> None:
    keys = ["M-" + character for character in CHARACTERS]
    codes = "".join("\x1b" + character for character in CHARACTERS)
    assert recorder.gets(*keys) == codes.encode()


def test_control_and_meta_together(recorder: Recorder) -> None:
    assert recorder.gets("C-M-^", "M-C-^", "^M-^") == b"\x1b\x1e" * 3


MODIFIERS = ["C-", "M-", "S-", "C-M-", "C-S-", "M-S-", "C-M-S-"]


@pytest.mark.parametrize("modifier", MODIFIERS)
def test_no_key_arrives_as_its_name(recorder: Recorder, modifier: str) -> None:
    """What tmux has no code for it would type: that is refused."""
    pressed = [
        key
        for base in [*CHARACTERS, "é", *sorted(keys.KEY_NAMES)]
        if is_taken(recorder.pane, key := modifier + base)
    ]
    assert len(pressed) > len(keys.KEY_NAMES) / 2
    assert modifier.encode() not in recorder.gets()


def is_taken(pane: Pane, key: str) -> bool:
    """Press *key*, unless it is refused for want of a code."""
    try:
        pane.send_key(key)
    except TmuxLifeError as error:
        if "no code for the key" not in str(error):
            raise
        return False
    return True


def test_key_without_a_code_is_refused_and_nothing_sent(recorder: Recorder) -> None:
    with pytest.raises(TmuxLifeError, match=r"no code for the key 'C-\$'"):
        recorder.pane.send_key("a", "C-$")
    assert recorder.gets("b") == b"b"


def test_key_is_the_programs_to_ask_for_with_extended_keys(
    tmux_server: Server, recorder: Recorder
) -> None:
    tmux_server.cmd("set-option", "-s", "extended-keys", "on")
    recorder.pane.send_key("S-Tab")
