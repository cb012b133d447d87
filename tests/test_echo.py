"""The echo rules on rows of text, without any tmux."""

import re

import pytest

from pytest_tmuxlife.terminal.programs.prompts import HousePrompt
from pytest_tmuxlife.terminal.sight.command import behind_prompt, cut_output
from pytest_tmuxlife.terminal.sight.echo import EchoFilter, Sent, squash
from pytest_tmuxlife.terminal.sight.width import split_at, split_glued, width

PROMPT = HousePrompt("ab12")
# Over the edge of a row.
LONG = "x" * 90


def fresh(rows: list[str], *typed: str, column: int = 10, ever: str = "") -> list[str]:
    sent = Sent(typed, row=0, column=column, history=0, is_echoed=True)
    known = {squash(line) for line in (*typed, *ever.split("\n")) if line}
    return EchoFilter(sent, known, PROMPT.pattern).output(rows)


@pytest.mark.parametrize(
    ("rows", "typed", "left"),
    [
        (["[ab12:1]$ echo X", "X"], ["echo X"], ["X"]),
        (["[ab12:1]$ echo X"], ["echo X"], []),
        (["[ab12:1]$ echo"], ["echo X"], []),
        (["[ab12:1]$ "], ["echo X"], []),
        (["[ab12:1]$ echo X", "echo X"], ["echo X"], ["echo X"]),
        (["[ab12:1]$ ec", "ho X", "X"], ["echo X"], ["X"]),
        (["[ab12:1]$ cat", "a", "a"], ["cat", "a"], ["a"]),
        (
            ["[ab12:1]$ sleep 1", "echo X", "[ab12:2]$ echo X", "X", "[ab12:3]$ "],
            ["sleep 1", "echo X"],
            ["X"],
        ),
        (["[ab12:1]$ X", "[ab12:2]$ output"], ["X"], ["output"]),
        (["[ab12:1]$ tab^    x", "done"], ["tab\tx"], ["done"]),
        (["[ab12:1]$ a^Ab", "done"], ["a\x01b"], ["done"]),
        (
            [f"[ab12:1]$ {LONG[:70]}", f"[ab12:1]$ {LONG}", LONG[:70]],
            [LONG],
            [LONG[:70]],
        ),
        (
            ["[ab12:1]$ go", f"[ab12:2]$ {LONG[:70]}", f"[ab12:2]$ {LONG}", "out"],
            ["go", LONG],
            ["out"],
        ),
        (["[ab12:1]$ go", "[ab12:2]$ g", "[ab12:3]$ gone"], ["go"], ["g", "gone"]),
    ],
    ids=[
        "echo then output",
        "echo only",
        "echo half drawn",
        "echo not yet drawn",
        "output equal to the echo",
        "echo wrapped and not joined",
        "cat's own copy",
        "typed ahead, echoed twice",
        "a shell that prints behind its prompt",
        "a quoted tab",
        "a quoted control character",
        "drawn anew at the edge",
        "drawn anew at the edge, typed ahead",
        "output that begins as what was typed does",
    ],
)
def test_echo_is_told_from_output(
    rows: list[str], typed: list[str], left: list[str]
) -> None:
    assert fresh(rows, *typed) == left


def test_line_sent_long_ago_is_echo_behind_a_prompt() -> None:
    rows = ["[ab12:5]$ new", "[ab12:6]$ old", "output"]
    assert fresh(rows, "new", ever="old") == ["output"]


def test_echo_is_expected_only_where_the_terminal_echoes() -> None:
    sent = Sent(("secret",), row=0, column=10, history=0, is_echoed=False)
    assert EchoFilter(sent, set(), None).output(["Password: ", "secret"]) == [
        "",
        "secret",
    ]


def test_output_glued_to_an_echo_that_fills_its_row_is_kept() -> None:
    typed = "x" * 70
    assert fresh([f"[ab12:1]$ {typed}OUT"], typed) == ["OUT"]


@pytest.mark.parametrize(
    ("rows", "command", "output"),
    [
        (["[ab12:1]$ true", "[ab12:2]$ "], "true", ""),
        (["[ab12:1]$ ls", "a", "", "b", "[ab12:2]$ "], "ls", "a\n\nb\n"),
        (["[ab12:1]$ ls", "no newline[ab12:2]$ "], "ls", "no newline"),
        (["[ab12:1]$ ls", "a", "[ab12:2]$ ", "", ""], "ls", "a\n"),
        (["[ab12:1]$ l", "s", "a", "[ab12:2]$ "], "ls", "a\n"),
        (
            [
                "[ab12:1]$ for i in 1; do",
                "[ab12+]> echo $i",
                "[ab12+]> done",
                "1",
                "[ab12:2]$ ",
            ],
            "for i in 1; do\necho $i\ndone",
            "1\n",
        ),
        (
            [f"[ab12:1]$ {LONG[:70]}", f"[ab12:1]$ {LONG}", "a", "[ab12:2]$ "],
            LONG,
            "a\n",
        ),
    ],
    ids=[
        "nothing",
        "lines",
        "no newline",
        "blank below",
        "wrapped",
        "continued",
        "drawn anew",
    ],
)
def test_output_is_cut_out_between_prompts(
    rows: list[str], command: str, output: str
) -> None:
    assert cut_output(rows, PROMPT, 1, 2, command, 80) == (output, True, True)


def test_echo_is_found_where_the_cursor_stood() -> None:
    """Behind what a job printed between the last look and the command."""
    rows = ["[ab12:1]$ [1] Donels", "a", "[ab12:2]$ "]
    assert cut_output(rows, PROMPT, 1, 2, "ls", 80, 18) == ("a\n", True, True)


def test_missing_first_prompt_is_said() -> None:
    rows = ["99", "100", "[ab12:2]$ "]
    assert cut_output(rows, PROMPT, 1, 2, "seq 100", 80) == ("99\n100\n", False, True)


def test_command_of_somebody_else_is_said() -> None:
    rows = ["[ab12:1]$ theirs; ours", "x", "[ab12:2]$ "]
    assert cut_output(rows, PROMPT, 1, 2, "ours", 80)[2] is False


def test_what_stands_behind_a_prompt_is_told() -> None:
    assert behind_prompt(["x[ab12:2]$ ", "", ""], PROMPT, 2) == ""
    assert behind_prompt(["[ab12:2]$ typed"], PROMPT, 2) == "typed"
    assert behind_prompt(["[ab12:2]$ [1] Done", "more"], PROMPT, 2) == "[1] Done\nmore"
    assert behind_prompt(["[ab12:1]$ "], PROMPT, 2) is None
    assert behind_prompt([], PROMPT, 2) is None


def test_output_ends_at_the_prompt_whatever_a_job_prints_behind_it() -> None:
    rows = ["[ab12:1]$ job &", "[1] 7", "[ab12:2]$ nohup: ignoring input", "", ""]
    assert cut_output(rows, PROMPT, 1, 2, "job &", 80) == ("[1] 7\n", True, True)


def test_prompts_own_definition_does_not_match_it() -> None:
    assert not re.search(PROMPT.pattern, "PS1='[ab12:$_tmuxlife_n]$ '")


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)]
)
def test_width_is_in_columns(text: str, columns: int) -> None:
    assert width(text) == columns


def test_text_is_split_at_a_column() -> None:
    assert split_at("日本go", 4) == ("日本", "go")
    assert split_at("e\u0301x", 1) == ("e\u0301", "x")
    assert split_at("short", 80) == ("short", "")


def test_nothing_is_split_off_where_the_echo_ends_inside_a_row() -> None:
    assert split_glued("[ab12:1]$ abcdef", 10, "abc", 80) == ("[ab12:1]$ abcdef", None)
