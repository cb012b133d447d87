"""The native door beside the process door, command by command.

Two servers in the same state get the same commands, one through each door; output,
complaint and status have to be the same bytes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from panes import wait_for_program

import pytest_tmuxlife
from pytest_tmuxlife import Server, ServerFactory
from pytest_tmuxlife.terminal.tmux.door import Answer, Door, ProcessDoor
from pytest_tmuxlife.terminal.tmux.native import MESSAGE_LIMIT, NativeDoor

LIMIT = 60.0
# Every byte, over and over: more than a million of them.
BIG = bytes(range(256)) * 4500
TEXT = "é 日本 🎉👩\u200d👩\u200d👧 ☺"

pytestmark = pytest.mark.tmux(timeout=30)

Both = Callable[..., Answer]


def first_pane(server: Server) -> None:
    """The same on both: a program that has printed something, and waits."""
    pane = server.new_pane(["sh", "-c", f"printf '%s\\n' '{TEXT}' tail; exec cat"])
    wait_for_program(pane, "cat")
    # Else tmux names it after its program, half a second later.
    server.cmd("rename-window", "-t", pane.id, "first")


@pytest.fixture
def both(tmux_server_factory: ServerFactory) -> Both:
    """Carries a command out through both doors, and returns the one answer."""
    by_native, by_process = tmux_server_factory(), tmux_server_factory()
    for server in (by_native, by_process):
        first_pane(server)
    tmux = by_process.libtmux.tmux_bin
    assert tmux
    native: Door = NativeDoor(by_native.socket_path)
    process: Door = ProcessDoor(
        by_process.supervisor, tmux, by_process.socket_path, by_process.env
    )

    def call(*arguments: str, stdin: bytes = b"") -> Answer:
        expected = process.call(arguments, stdin=stdin, timeout=LIMIT)
        answer = native.call(arguments, stdin=stdin, timeout=LIMIT)
        assert answer == expected, arguments
        assert not answer.timed_out
        return answer

    return call


OURS: Sequence[Sequence[str]] = [
    ["set-option", "-s", "exit-empty", "off"],
    ["new-session", "-d", "-P", "-F", "#{session_id} #{pane_id}", "-s", "two", "cat"],
    ["has-session", "-t", "=two"],
    ["has-session", "-t", "=three"],
    ["list-sessions", "-F", "#{session_id} #{session_name}"],
    ["rename-session", "-t", "$1", "a name; #{pid}"],
    ["split-window", "-d", "-P", "-F", "#{pane_id}", "-t", "%0", "-h", "--", "cat"],
    ["list-panes", "-a", "-F", "#{session_id} #{pane_id} #{pane_dead}"],
    ["resize-window", "-t", "%0", "-x", "70", "-y", "20"],
    ["resize-pane", "-t", "%0", "-x", "30"],
    ["display-message", "-p", "-t", "%0", "#{pane_width}x#{pane_height}"],
    ["display-message", "-p", "-t", "%99", "[#{pane_id}]"],
    ["capture-pane", "-p", "-t", "%0"],
    ["capture-pane", "-p", "-J", "-t", "%0", "-S", "-"],
    ["capture-pane", "-p", "-N", "-t", "%0", ";", "capture-pane", "-p", "-t", "%0"],
    ["capture-pane", "-p", "-t", "%99"],
    ["run-shell", "-C", "-t", "%0", 'capture-pane -p -S "#{e|-|:0,0}"'],
    ["run-shell", "-b", "true"],
    ["run-shell", "echo out; echo complaint >&2; exit 3"],
    ["if-shell", "-F", "-t", "%0", "#{pane_in_mode}", "nonsense", "list-clients"],
    ["send-keys", "-t", "%0", "-l", "--", "-- # a\\;"],
    ["send-keys", "-t", "%0", "--", "Enter", "C-c"],
    ["send-keys", "-t", "%99", "-l", "--", "nobody"],
    ["set-buffer", "-b", "mine", "--", "-text"],
    ["paste-buffer", "-dpr", "-b", "mine", "-t", "%2"],
    ["paste-buffer", "-dpr", "-b", "mine", "-t", "%2"],
    ["delete-buffer", "-b", "mine"],
    ["pipe-pane", "-O", "-t", "%0", "cat > /dev/null"],
    ["display-message", "-p", "-t", "%0", "#{pane_pipe}"],
    ["pipe-pane", "-t", "%0"],
    ["set-option", "-w", "-t", "%0", "remain-on-exit", "on"],
    ["set-option", "-u", "-p", "-t", "%0", "remain-on-exit"],
    ["set-option", "-g", "history-limit", "much"],
    ["show-options", "-gv", "history-limit"],
    ["set-hook", "-g", "after-new-window", "display-message -p hooked"],
    ["show-hooks", "-g", "after-new-window"],
    ["copy-mode", "-t", "%0"],
    ["display-message", "-p", "-t", "%0", "#{?pane_in_mode,#{pane_mode},-}"],
    ["send-keys", "-t", "%0", "-X", "cancel"],
    ["list-clients", "-F", "#{client_pid} #{client_name}"],
    ["detach-client", "-t", "/dev/none"],
    ["attach-session", "-t", "$0"],
    ["list-commands", "paste-buffer"],
    ["wait-for", "-S", "channel"],
    ["wait-for", "channel"],
    ["kill-pane", "-t", "%2"],
    ["kill-pane", "-t", "%2"],
    ["kill-session", "-t", "$1"],
    ["kill-window", "-t", "$0"],
    ["list-panes", "-a"],
    ["start-server"],
    ["kill-server"],
]


def test_what_the_package_asks_is_answered_alike(both: Both) -> None:
    for command in OURS:
        both(*command)


# Their answers have a size, or take a file; tried below.
_ELSEWHERE = {"load-buffer", "save-buffer", "show-buffer", "source-file"}


def test_no_command_of_the_package_is_left_out(tmux_server: Server) -> None:
    """Each word of its code that is the name of a command."""
    tmux_server.new_session()
    names = tmux_server.cmd("list-commands", "-F", "#{command_list_name}").stdout
    words = set(_words_of(Path(pytest_tmuxlife.__file__).parent))
    used = words.intersection(names)
    assert {"capture-pane", "if-shell", "paste-buffer", "kill-server"} <= used
    tried = {word for command in OURS for word in command}
    assert used - tried <= _ELSEWHERE


def _words_of(package: Path) -> Iterator[str]:
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.partition(" ")[0]


ODD = {
    "unknown commands": [
        ["nonsense"],
        ["list"],
        ["LIST-SESSIONS"],
        [""],
        ["#{pid}"],
        ["--", "x"],
    ],
    "short names": [
        ["ls", "-F", "#{session_name}"],
        ["list-s", "-F", "#{session_id}"],
        ["lsp", "-F", "#{pane_id} #{window_name}"],
    ],
    "bad arguments": [
        ["list-sessions", "-Q"],
        ["list-sessions", "-F"],
        ["list-sessions", "a", "b"],
        ["resize-pane", "-x", "wide"],
        ["kill-session", "-t", "$99"],
        ["set-option", "-g", "no-such-option", "1"],
        ["split-window", "-e", "no-value"],
        ["new-session", "-d", "-s", "a", ";", "new-session", "-d", "-s", "a"],
        ["new-session"],
        ["switch-client", "-t", "$0"],
        ["refresh-client"],
        ["suspend-client"],
        ["command-prompt"],
        ["confirm-before", "kill-server"],
    ],
    "formats": [
        ["display-message", "-p", text]
        for text in (
            "#{pane_id} #{session_name} #{?pane_dead,yes,no} #{e|+|:1,2}",
            "#{unclosed",
            "[#{no_such_variable}]",
            "## # #",
            "%% %",
            "#{=2:pane_id} #{b:pane_current_command}",
            "#{S:#{session_id}#{W:#{window_id}#{P:#{pane_id}}}}",
            "#[fg=red]styled#[default]",
            "$HOME ~ 'one' \"two\" {three} \\a\\b\\n",
        )
    ],
    "odd texts": [
        command
        for text in (
            "",
            " ",
            "-leading",
            "--",
            "a\nb\n",
            "\n",
            TEXT,
            "e\u0301 \u200b \ufeff",
            "bytes \udcff\udcfe of no text",
            "half a character \udce6\udc97",
            "controls \x01\x07\x1b[31m\x7f\t\r",
            "a;b",
            "#{pane_id}",
            "a'b\"c$d`e`",
            "C-c Enter",
        )
        for command in (
            ["display-message", "-p", "--", text],
            ["set-buffer", "-b", "odd", "--", text],
            ["show-buffer", "-b", "odd"],
            ["set-option", "-g", "@odd", text],
            ["show-options", "-g", "@odd"],
            ["show-options", "-gv", "@odd"],
        )
    ],
    "sequences": [
        ["display-message", "-p", "a", ";", "display-message", "-p", "b"],
        ["display-message", "-p", "a", ";"],
        [";", "display-message", "-p", "a"],
        [";"],
        [";", ";"],
        ["display-message", "-p", "a;"],
        ["display-message", "-p", "a;", "list-clients"],
        ["display-message", "-p", "a\\;"],
        ["display-message", "-p", "a\\\\;"],
        ["display-message", "-p", "\\;", ";", "display-message", "-p", "b"],
        ["display-message", "-p", "a", ";", "nonsense"],
        ["set-buffer", "a", ";", "kill-pane", "-t", "%99", ";", "list-clients"],
    ],
    "long lists": [
        ["list-keys"],
        ["list-commands"],
        ["show-options", "-g"],
        ["show-options", "-gw"],
        ["show-options", "-s"],
        ["show-hooks", "-g"],
    ],
    "many words": [
        ["set-buffer", *["word"] * number] for number in (990, 999, 1000, 1500, 3000)
    ],
    "many commands": [["list-clients", ";"] * number for number in (100, 500, 1000)],
}


@pytest.mark.parametrize("group", ODD)
def test_odd_commands_are_answered_alike(both: Both, group: str) -> None:
    for command in ODD[group]:
        both(*command)
    assert both("list-sessions", "-F", "#{session_id}").status == 0


def test_big_input_and_output_are_alike(both: Both, tmp_path: Path) -> None:
    both("load-buffer", "-b", "big", "-", stdin=BIG)
    assert both("show-buffer", "-b", "big").stdout == BIG
    assert both("save-buffer", "-b", "big", "-").stdout == BIG
    both("load-buffer", "-b", "none", "-", stdin=b"")
    both("show-buffer", "-b", "none")
    both("list-buffers", "-F", "#{buffer_name} #{buffer_size}")
    both("run-shell", f"yes '{TEXT}' | head -c 1000000")


def test_commands_of_a_file_are_alike(both: Both) -> None:
    lines = b"display-message -p one\ndisplay-message -p two\n"
    assert both("source-file", "-", stdin=lines).stdout == b"one\ntwo\n"
    both("source-file", "-", stdin=b"nonsense 'open\n")
    both("source-file", "-", stdin=b"")


def test_arguments_up_to_the_length_of_a_message_are_alike(both: Both) -> None:
    """And of one byte more tmux itself says that it is too long."""
    command = ["set-buffer", "-b", "long", "--"]
    room = MESSAGE_LIMIT - 16 - 4 - sum(len(word) + 1 for word in command) - 1
    for length in (room - 1, room):
        assert NativeDoor.fits([*command, "x" * length])
        assert both(*command, "x" * length).status == 0
    assert len(both("show-buffer", "-b", "long").stdout) == room
    assert not NativeDoor.fits([*command, "x" * (room + 1)])


@pytest.mark.parametrize("length", [16_348, 16_370, 20_000, 70_000])
def test_arguments_over_the_length_of_a_message_are_refused_by_tmux(
    tmux_server: Server, length: int
) -> None:
    """Such a command goes by process: its complaint is tmux's own."""
    tmux_server.new_session()
    engine = tmux_server.engine
    reply = tmux_server.cmd("set-buffer", "-b", "x", "y" * length)
    assert reply.returncode == 1
    assert reply.stderr[0] in ("command too long", "failed to send command")
    assert tmux_server.engine == engine


def test_files_are_the_process_door_s(tmux_server: Server, tmp_path: Path) -> None:
    """A client opens them, not the server."""
    tmux_server.new_session()
    (tmp_path / "in").write_bytes(b"from a file")
    engine = tmux_server.engine
    assert tmux_server.cmd("load-buffer", "-b", "x", str(tmp_path / "in")).ok
    assert tmux_server.cmd("save-buffer", "-b", "x", str(tmp_path / "out")).ok
    assert (tmp_path / "out").read_bytes() == b"from a file"
    reply = tmux_server.cmd("loadb", "-b", "x", str(tmp_path / "none"))
    assert reply.returncode == 1
    assert "No such file or directory" in reply.stderr[0]
    assert tmux_server.engine == engine
