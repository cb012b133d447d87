"""Commands that change the shell, end it, or end oddly; as text and as bytes."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from panes import Gate, wait_for_program

from pytest_tmuxlife import CommandTimeout, Pane, PaneDied, PaneNotReady, Server

# Longer than by default, for a busy machine.
pytestmark = [pytest.mark.tmux(timeout=60), pytest.mark.usefixtures("patient")]
BOTH = pytest.mark.parametrize("exact", [False, True], ids=["shown", "exact"])


@pytest.fixture(params=["bash", "dash"])
def shell(request: pytest.FixtureRequest, tmux_server: Server) -> Pane:
    # Its server is there when the shell has ended.
    tmux_server.new_session()
    return tmux_server.new_pane(request.param)


@pytest.fixture
def bash(tmux_server: Server) -> Pane:
    tmux_server.new_session()
    return tmux_server.new_pane("bash")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


def beside(work: Callable[[], None]) -> threading.Thread:
    """Do it in a thread of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def assert_usable(pane: Pane, exact: bool) -> None:
    result = pane.run("echo on; (exit 5)", exact=exact)
    assert (result.output, result.exit_code) == ("on\n", 5)


# -- the end of the shell ----------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "command",
    [
        "exit",
        "exit 3",
        "exec true",
        "exec sh -c 'echo last words; exit 4'",
        "set -e; false; echo never",
        "trap 'echo bye' EXIT; exit 2",
        "kill -KILL $$",
    ],
)
def test_end_of_the_shell_is_named(shell: Pane, command: str, exact: bool) -> None:
    with pytest.raises(PaneDied, match=shell.program):
        shell.run(command, exact=exact)
    with pytest.raises(PaneDied):
        shell.run("echo no", exact=exact)


@BOTH
def test_shell_that_is_replaced_reports_no_more(shell: Pane, exact: bool) -> None:
    """What has taken its place may be waited for as any program."""
    with pytest.raises(CommandTimeout, match=r"exec sh"):
        shell.run("exec sh -c 'echo other; read go'", timeout=1, exact=exact)
    shell.wait_for_text("other")
    shell.send_key("Enter")
    shell.wait_for_exit()


# -- statuses ----------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("sh -c 'kill -KILL $$'", 137),
        ("sh -c 'kill -TERM $$'", 143),
        ("kill -INT $$; echo never", 130),
        ("(exit 255)", 255),
    ],
)
def test_status_after_a_signal(
    shell: Pane, command: str, status: int, exact: bool
) -> None:
    result = shell.run(command, exact=exact)
    assert result.exit_code == status
    assert "never" not in result.output
    assert_usable(shell, exact)


@BOTH
@pytest.mark.parametrize("handler", ["", "trap 'echo caught' INT; "])
def test_interrupt_key_from_another_thread(
    shell: Pane, gate: Gate, handler: str, exact: bool
) -> None:
    """The command ends, and the shell tells so."""

    def press() -> None:
        gate.wait_for_reader()
        wait_for_program(shell, "cat")
        shell.interrupt()

    thread = beside(press)
    result = shell.run(f"{handler}cat gate", exact=exact)
    thread.join()
    assert result.exit_code == 130
    assert result.output.startswith("^C")
    assert_usable(shell, exact)


@BOTH
def test_command_reads_what_another_thread_types(
    shell: Pane, gate: Gate, exact: bool
) -> None:
    def answer() -> None:
        gate.wait_for_reader()
        gate.open()
        shell.wait_for_text("name?")
        shell.send_line("Ada")

    thread = beside(answer)
    command = "cat gate; printf 'name? '; read -r name; echo \"<$name>\""
    result = shell.run(command, exact=exact)
    thread.join()
    assert (result.output, result.exit_code) == ("name? Ada\n<Ada>\n", 0)
    assert_usable(shell, exact)


# -- traps and options -------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("command", "output", "then"),
    [
        ("trap 'echo debug' DEBUG; echo x", "debug\nx\n", "debug\non\n"),
        ("trap 'echo error' ERR; false; echo x", "error\nx\n", "on\nerror\n"),
        ("trap 'echo bye' EXIT; echo x", "x\n", "on\n"),
        ("set -x; echo x", "+ echo x\nx\n", "+ echo on\non\n+ exit 5\n"),
        ("set -u; echo x", "x\n", "on\n"),
        ("set -o vi; echo x", "x\n", "on\n"),
        ("set -a; echo x", "x\n", "on\n"),
        ("IFS=x; echo x", "x\n", "on\n"),
        ("set -o noclobber; echo x", "x\n", "on\n"),
        ("printf() { echo mine; }; echo x", "x\n", "on\n"),
        ("alias echo='echo A'; echo x", "x\n", "A on\n"),
        ("PS1='mine> '; echo x", "x\n", "on\n"),
        ("PS1=; PS2=; echo x", "x\n", "on\n"),
        ("cd /; echo x", "x\n", "on\n"),
    ],
)
def test_what_a_command_sets_does_not_disturb_the_next(
    bash: Pane, command: str, output: str, then: str, exact: bool
) -> None:
    """And what the prompt's own hook does under it is nobody's output."""
    assert bash.run(command, exact=exact).output == output
    result = bash.run("echo on; (exit 5)", exact=exact)
    assert (result.output, result.exit_code) == (then, 5)


@BOTH
def test_trace_of_dashs_own_prompt_is_no_output(
    tmux_server: Server, exact: bool
) -> None:
    pane = tmux_server.new_pane("dash")
    pane.run("set -x", exact=exact)
    assert pane.run("echo x", exact=exact).output == "+ echo x\nx\n"


@BOTH
@pytest.mark.parametrize(
    ("shell", "command"),
    [
        ("bash", "PROMPT_COMMAND=; echo x"),
        ("bash", "PROMPT_COMMAND='echo mine'; echo x"),
        ("dash", "PS1='mine> '; echo x"),
    ],
)
def test_prompt_that_is_reported_no_more_is_named(
    tmux_server: Server, shell: str, command: str, exact: bool
) -> None:
    pane = tmux_server.new_pane(shell)
    with pytest.raises(CommandTimeout, match=r"PROMPT_COMMAND or PS1") as caught:
        pane.run(command, timeout=1, exact=exact)
    assert caught.value.output.startswith("x")


# -- terminals ---------------------------------------------------------------


def test_shell_without_an_echo_is_refused_as_text(shell: Pane) -> None:
    """The exact bytes do not need it."""
    shell.run("stty -echo")
    with pytest.raises(PaneNotReady, match="does not echo"):
        shell.run("echo unseen")
    assert shell.run("echo unseen", exact=True).output == "unseen\n"
    shell.run("stty echo", exact=True)
    assert_usable(shell, exact=False)


def test_raw_terminal_is_shown_as_it_is(bash: Pane) -> None:
    """Rows begin where the last one ended; the exact bytes know nothing of that."""
    bash.run("stty raw")
    assert bash.run("printf 'a\\nb\\n'", exact=True).output == "a\nb\n"
    shown = bash.run("printf 'a\\nb\\n'").output
    assert shown.split() == ["a", "b"]
    assert shown != "a\nb\n"
    bash.run("stty sane", exact=True)
    assert_usable(bash, exact=False)


@BOTH
def test_alternate_screen_that_is_left_gives_the_first_back(
    shell: Pane, exact: bool
) -> None:
    command = "echo a; printf '\\033[?1049hfull\\033[?1049l'; echo b"
    bytes_of_it = "a\n\x1b[?1049hfull\x1b[?1049lb\n"
    result = shell.run(command, exact=exact)
    assert result.output == (bytes_of_it if exact else "a\nb\n")
    assert_usable(shell, exact)


def test_prompt_over_two_rows_is_waited_for(shell: Pane) -> None:
    """Behind output without a final newline it begins near the edge."""
    for width in range(70, 81):
        shell.send_line(f"printf '%0{width}d' 1")
        shell.wait_for_prompt()
        assert shell.run("true").exit_code == 0


# -- several lines -----------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("if true\nthen\n  echo yes\nfi", "yes\n"),
        ("cat <<'E'\n$HOME\n\nE", "$HOME\n\n"),
        ("cat <<E | tr a-z A-Z\nlow\nE\necho second", "LOW\nsecond\n"),
        ("echo 'over\ntwo lines'", "over\ntwo lines\n"),
        ("echo one \\\n  two", "one two\n"),
        ("f() {\n  echo in f\n}\nf", "in f\n"),
        ("printf one\nprintf two\nprintf three", "onetwothree"),
        ("printf one\necho two\nprintf three\necho four", "onetwo\nthreefour\n"),
    ],
)
def test_several_lines_give_the_output_of_all(
    shell: Pane, command: str, output: str, exact: bool
) -> None:
    assert shell.run(command, exact=exact).output == output
    assert_usable(shell, exact)


@BOTH
@pytest.mark.parametrize("command", ["fi", "echo )", "if true; fi"])
def test_syntax_error_has_a_status_and_its_message(
    shell: Pane, command: str, exact: bool
) -> None:
    result = shell.run(command, exact=exact)
    assert result.exit_code == 2
    assert re.fullmatch(r".*yntax error.*\n", result.output)
    assert_usable(shell, exact)


@BOTH
@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_line_that_fish_refuses_is_named_and_taken_back(
    tmux_server: Server, exact: bool
) -> None:
    """It would leave it in its line editor, and show no prompt for it."""
    pane = tmux_server.new_pane("fish")
    with pytest.raises(PaneNotReady, match="was refused by fish") as caught:
        pane.run("echo )", exact=exact)
    assert caught.value.state == "refused"
    assert pane.run("echo on", exact=exact).output == "on\n"


@BOTH
@pytest.mark.parametrize(
    "command", ["echo 'open", 'echo "open', "echo $(", "if true", "cat <<E\nx"]
)
def test_incomplete_command_is_named_and_cancelled(
    shell: Pane, command: str, exact: bool
) -> None:
    with pytest.raises(PaneNotReady, match="is incomplete") as caught:
        shell.run(command, exact=exact)
    assert caught.value.state == "continuation prompt"
    assert_usable(shell, exact)


# -- jobs in the background --------------------------------------------------


@BOTH
def test_late_output_of_a_job_is_not_the_next_commands(
    shell: Pane, gate: Gate, exact: bool
) -> None:
    """It comes at the prompt; what comes while a command runs is in its output.

    A job of an inner shell: of its own jobs a shell tells the end.
    """
    shell.run("((cat gate; echo late; echo later) &)", exact=exact)
    gate.wait_for_reader()
    gate.open()
    shell.wait_for_text(re.compile("later$", re.MULTILINE), scope="history")
    for number in range(3):
        assert shell.run(f"echo {number}", exact=exact).output == f"{number}\n"


@BOTH
def test_panes_run_at_the_same_time(tmux_server: Server, exact: bool) -> None:
    """From a thread each."""
    panes = [tmux_server.new_pane(name) for name in ("bash", "dash") * 2]
    found: dict[str, list[str]] = {}

    def work(pane: Pane) -> None:
        found[pane.id] = [
            pane.run(f"echo {pane.id} {n}", exact=exact).output for n in range(8)
        ]

    threads = [beside(lambda pane=pane: work(pane)) for pane in panes]  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert found == {pane.id: [f"{pane.id} {n}\n" for n in range(8)] for pane in panes}
