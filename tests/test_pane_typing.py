"""Typing: text arrives as it is, or is refused before anything is sent."""

import pytest

from pytest_tmuxlife import Pane, PaneNotReady, Server, TmuxLifeError

ODD_TEXTS = [
    "plain",
    "ends with ;",
    ";",
    "\\;",
    "-t %5 -l",
    "--",
    "#{pane_id} #(date)",
    "$HOME `x` $(y) 'z' \"w\" \\",
    "  blanks  ",
    "é ü ß",
    "日本語",
    "👩‍👩‍👧 👍🏽",
    "e\u0301 combining",
    "tab\tand\x01control\x7f",
    "Enter",
    "C-c",
    "!! !x",
]


@pytest.fixture
def cat(tmux_server: Server) -> Pane:
    """A cooked terminal whose program keeps all that it gets."""
    pane = tmux_server.new_pane("echo ready; exec cat > got")
    pane.wait_for_text("ready")
    return pane


def received(server: Server, pane: Pane) -> bytes:
    """What cat has got; ends it, so that all is written."""
    pane.send_key("C-d")
    pane.wait_until(lambda: pane.has_ended or None, 10, "the end of cat")
    assert server.options.cwd
    with open(f"{server.options.cwd}/got", "rb") as file:
        return file.read()


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_text_arrives_byte_for_byte(
    tmux_server: Server, tmux_pane: Pane, cat: Pane, text: str
) -> None:
    cat.send_line(text)
    assert received(tmux_server, cat) == text.encode() + b"\n"


def test_echo_of_ten_thousand_lines_is_told_from_the_answers(
    tmux_server: Server,
) -> None:
    """Each row is compared with the lines that it may be, not with all of them."""
    pane = tmux_server.new_pane(["sh", "-c", 'while read -r n x; do echo "<$n>"; done'])
    lines = [f"{number:05d} {'x' * 90}" for number in range(10_000)]
    pane.paste("\n".join([*lines, ""]))
    pane.wait_for_text("<09999>", timeout=60)


def test_text_of_a_hundred_kilobytes_arrives_whole(
    tmux_server: Server, tmux_pane: Pane, cat: Pane
) -> None:
    text = "".join(f"line {number} {'x' * 80}\n" for number in range(1100))
    cat.send_text(text)
    assert received(tmux_server, cat) == text.encode()


def test_line_too_long_for_a_cooked_terminal_is_refused(cat: Pane) -> None:
    with pytest.raises(TmuxLifeError, match=r"has 5000 bytes.*takes 4095"):
        cat.send_line("x" * 5000)


def test_line_too_long_for_a_cooked_terminal_reaches_a_line_editor(
    tmux_pane: Pane,
) -> None:
    word = "x" * 6000
    assert tmux_pane.run(f"echo {word} | wc -c").output.strip() == "6001"


def test_nul_is_refused_by_name(tmux_pane: Pane) -> None:
    with pytest.raises(TmuxLifeError, match="NUL"):
        tmux_pane.send_text("a\0b")


@pytest.mark.parametrize("key", ["Entre", "ctrl-c", "C-", "", "F13", "ab"])
def test_unknown_key_is_refused_and_not_typed(tmux_pane: Pane, key: str) -> None:
    """tmux itself would type the name as text."""
    with pytest.raises(TmuxLifeError, match="no tmux key"):
        tmux_pane.send_key(key)
    assert tmux_pane.run("echo clean").output == "clean\n"


def test_keys_are_pressed(tmux_pane: Pane) -> None:
    tmux_pane.send_text("echo wrong")
    tmux_pane.send_key("C-u")
    tmux_pane.send_text("echo rihgt")
    tmux_pane.send_key("Left", "Left", "BSpace", "Right", "h", "Enter")
    tmux_pane.wait_for_text("right")


def test_copy_mode_is_refused_by_name(tmux_server: Server, tmux_pane: Pane) -> None:
    tmux_server.cmd("copy-mode", "-t", tmux_pane.id)
    with pytest.raises(PaneNotReady, match="in copy-mode"):
        tmux_pane.send_line("echo lost")


def test_pane_is_the_same_object_however_it_is_found(
    tmux_server: Server, tmux_pane: Pane
) -> None:
    assert tmux_server.panes == [tmux_pane]
    assert tmux_server.sessions[0].pane is tmux_pane
