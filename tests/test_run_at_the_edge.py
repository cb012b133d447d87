"""Commands whose echo ends at the right edge of the pane, or near it.

A line editor wraps there, and tmux joins the row with what follows it.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence

import pytest

from pytest_tmuxlife import Pane, PaneNotReady, Server
from pytest_tmuxlife.terminal.programs.presets import PRESETS
from pytest_tmuxlife.terminal.sight.drawing import Drawing

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]
COLUMNS = 80
FULL = "0" * (COLUMNS - 1) + "7"
COUNTED = "".join(f"{n}\n" for n in range(1, 31))
# The last column of a row, that before it and behind, and that of the second row.
PLACES = (COLUMNS - 1, COLUMNS, COLUMNS + 1, 2 * COLUMNS)

SHELL = {
    "true; :": "",
    "printf abc; :": "abc",
    "echo abc; :": "abc\n",
    "echo; :": "\n",
    r"printf '\n\nx'; :": "\n\nx",
    "printf '   '; :": "   ",
    r"printf '   \n'; :": "   \n",
    r"printf '%080d\nx\n' 7; :": f"{FULL}\nx\n",
    "printf %080d 7; :": FULL,
    "printf '%080d\\n' 7; :": f"{FULL}\n",
    "seq 30; :": COUNTED,
    "echo; seq 30; :": "\n" + COUNTED,
}
# What each carries out, the rest of the row being a comment; and what it prints.
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "bash": SHELL,
    "dash": SHELL,
    "zsh": SHELL,
    # It says in a row of its own that a newline is missing: here it does not show.
    "fish": {line: output for line, output in SHELL.items() if output != FULL},
    "python": {
        "y = 1 #": "",
        "print('abc') #": "abc\n",
        "print() #": "\n",
        r"print('\n\nx', end='') #": "\n\nx",
        "print('   ') #": "   \n",
        "print('   ', end='') #": "   ",
        "print('%080d' % 7, end='') #": FULL,
        "print('%080d' % 7) #": f"{FULL}\n",
    },
    "node": {
        "var y = 1; //": "undefined\n",
        "console.log('abc') //": "abc\nundefined\n",
        r"console.log('x\n\ny') //": "x\n\ny\nundefined\n",
        "console.log('0'.repeat(79) + 7) //": f"{FULL}\nundefined\n",
    },
    "sqlite": {
        "create temp table if not exists t(a); --": "",
        "select 'abc'; --": "abc\n",
        "select ''; --": "\n",
        "select '   '; --": "   \n",
        "select printf('%080d', 7); --": f"{FULL}\n",
    },
    "gdb": {
        "set $x=1": "",
        r'printf "abc\n"': "abc\n",
        r'printf "\n\nx"': "\n\nx",
        r'printf "   "': "   ",
    },
}
BLOCK = ("if true; then :", "echo; :", "printf 'x y'; :", "fi; :")
# Lines of one command, or of several; and what they print.
LINES: Sequence[tuple[str, Sequence[str], str]] = (
    *((shell, BLOCK, "\nx y") for shell in ("bash", "dash", "zsh")),
    *((shell, ("true; :", "true; :"), "") for shell in ("bash", "dash", "zsh")),
    *((shell, ("echo; :", "echo; :"), "\n\n") for shell in ("bash", "dash", "zsh")),
    ("fish", ("begin; true; :", "echo abc; :", "end; :"), "abc\n"),
    ("python", ("print() #", "print(7) #"), "\n7\n"),
    ("node", ("if (1) { //", "console.log('abc') //", "} //"), "abc\nundefined\n"),
    ("sqlite", ("select --", "''; --"), "\n"),
)
# The last lines of one command.
LAST = ("fi; :", "} //", "''; --")
EXACT = ("bash", "dash", "zsh", "fish")


def _node_adds_rows() -> bool:
    """Behind a line that ends at the edge; node 18 does not."""
    node = shutil.which("node")
    if node is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True)
    return int(said.stdout.strip().removeprefix("v").split(".")[0]) > 18


NODE_ADDS_ROWS = _node_adds_rows()


def installed(name: str) -> bool:
    return shutil.which(PRESETS[name].argv[0]) is not None


def shown(program: str, output: str) -> str:
    """The output, without the blank rows that newer versions of node put above it."""
    return output.lstrip("\n") if program == "node" and NODE_ADDS_ROWS else output


def filled(program: str, line: str, length: int) -> str:
    """The line, made so long by what changes nothing."""
    if program == "gdb":
        return line.replace(" ", " " * (length - len(line) + 1), 1)
    return f"{line} ".ljust(length, "x")


def at_places(pane: Pane, program: str) -> Iterator[tuple[str, str]]:
    """Each command so long that its echo ends at each of the places; its output."""
    for place in PLACES:
        for command, output in COMMANDS[program].items():
            # The prompt gets longer with its number.
            pane.wait_for_prompt()
            yield filled(program, command, place - pane.screen().cursor[1]), output
            if not output.endswith("\n"):
                # zsh would take the prompt behind it for the beginning of a row.
                pane.send_key("Enter")


@pytest.mark.parametrize("program", [*filter(installed, COMMANDS)])
def test_output_below_an_echo_that_ends_at_the_edge(
    tmux_server: Server, program: str
) -> None:
    pane = tmux_server.new_pane(program)
    for command, output in at_places(pane, program):
        result = pane.run(command)
        assert (shown(program, result.output), result.cut) == (output, ""), command


@pytest.mark.parametrize("program", [*filter(installed, EXACT)])
def test_bytes_behind_an_echo_that_ends_at_the_edge(
    tmux_server: Server, program: str
) -> None:
    pane = tmux_server.new_pane(program)
    for command, output in at_places(pane, program):
        assert pane.run(command, exact=True).output == output, command


@pytest.mark.parametrize(
    ("program", "lines", "output", "exact"),
    [
        (program, lines, output, exact)
        for program, lines, output in LINES
        for exact in (False, True)
        if installed(program) and (program in EXACT or not exact)
    ],
)
def test_each_of_several_lines_may_end_at_the_edge(
    tmux_server: Server, program: str, lines: Sequence[str], output: str, exact: bool
) -> None:
    """Behind a prompt, or one for the rest of a command."""
    pane = tmux_server.new_pane(program)
    prompt = pane.launch.house_prompt
    assert prompt is not None
    rest = len(prompt.continuation) if lines[-1] in LAST else 0
    for place in PLACES:
        pane.wait_for_prompt()
        lead = pane.screen().cursor[1]
        leads = [lead, *[rest or lead] * (len(lines) - 1)]
        if program == "fish":
            # It indents a block.
            leads[1] += 4
        command = "\n".join(
            filled(program, line, place - lead)
            for line, lead in zip(lines, leads, strict=True)
        )
        result = pane.run(command, exact=exact)
        assert (shown(program, result.output), result.cut) == (output, ""), command
        pane.send_key("Enter")


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize(
    ("line", "output"), [("echo; :", "\n"), (r"printf '\n\nb\n'; :", "\n\nb\n")]
)
def test_blank_row_below_an_echo_behind_output_without_a_newline(
    tmux_server: Server, shell: str, line: str, output: str
) -> None:
    """readline takes the prompt for the row's beginning, and goes up to wrap."""
    pane = tmux_server.new_pane(shell)
    for before, place in itertools.product(("a", "abc"), PLACES):
        pane.run(f"printf {before}")
        lead = pane.screen().cursor[1] - len(before)
        assert pane.run(filled(shell, line, place - lead)).output == output
        pane.send_key("Enter")
        pane.wait_for_prompt()


def test_same_line_twice_is_told_apart(tmux_server: Server) -> None:
    """dash has no marks: its output begins behind the echo at its own prompt."""
    pane = tmux_server.new_pane("dash")
    for _ in range(10):
        assert pane.run("true\ntrue", exact=True).output == ""


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_bytes_behind_an_echo_that_wraps_in_the_c_locale(
    tmux_server: Server, locale: str
) -> None:
    """readline writes some characters twice there."""
    pane = tmux_server.new_pane("bash", env={"LC_ALL": locale})
    for length in (60, 69, 70, 71, 72, 75, 79, 80, 81, 149, 150, 151, 152, 240):
        word = "".join(chr(ord("a") + n % 26) for n in range(length))
        assert pane.run(f"echo {word}", exact=True).output == f"{word}\n"


# -- what a line editor draws ------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        ("12345678abcd\rcdef", "12345678abcdef"),
        ("1234567890 \r\x1bM\x1b[C\x1b[C\x1b[C\x1b[C\x1b[Kx\r\n", "1234x "),
        ("rm -rf\b\b\b\b\b\b\x1b[Kecho", "echo"),
        ("rm -rf\recho", "echorf"),
        ("ab\x1b[2D\x1b[2@cd", "cdab"),
        ("abcd\r\x1b[2P", "cd"),
        ("1234567890ab\x1b[A\x1b[J", "12"),
        ("1234567890ab\x1b[A\x1b[9GX\x1b[B", "12345678X0ab"),
        ("a\tb", "a       b"),
        ("123456789\u65e5x", "123456789\u65e5x"),
        ("e\u0301\bo", "o"),
        ("\x1b[1;31mred\x1b[m\x1b]0;title\x07\x1b[?2004l", "red"),
    ],
)
def test_drawing_is_what_a_terminal_of_ten_columns_shows(drawn: str, text: str) -> None:
    drawing = Drawing(10)
    drawing.draw(drawn)
    assert drawing.text == text


@pytest.mark.parametrize("length", [20, 70, 150])
def test_what_somebody_else_types_before_it_is_never_ours(
    tmux_server: Server, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """Between the look at the prompt and the command, at the edge too."""
    from pytest_tmuxlife.terminal.commands.exact import ExactRun

    pane = tmux_server.new_pane("bash")
    ready = ExactRun._before_command

    def before(run: ExactRun) -> None:
        ready(run)
        tmux_server.cmd("send-keys", "-t", pane.id, "-l", ": ")

    monkeypatch.setattr(ExactRun, "_before_command", before)
    with pytest.raises(PaneNotReady, match="not seen at its prompt"):
        pane.run(filled("bash", "true; :", length), exact=True)
