"""Where a value comes from, and what a bad one says."""

from __future__ import annotations

import pytest
from inner import Inner

from pytest_tmuxlife import Server
from pytest_tmuxlife.run_settings import Settings
from pytest_tmuxlife.settings import ALL_SETTINGS, IGNORE, Setting

SHOWS_TIMEOUT = """
def test_it(tmux_server):
    print("TIMEOUT IS", tmux_server.options.timeout)
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    for setting in ALL_SETTINGS:
        # The suite itself may run with one of them, as TMUXLIFE_ENGINE=process.
        monkeypatch.delenv(setting.variable, raising=False)
    return Inner(pytester, monkeypatch)


def wrapper_of_tmux(inner: Inner, name: str) -> str:
    """A tmux of another path."""
    path = inner.pytester.path / name
    path.write_text('#!/bin/sh\nexec tmux "$@"\n')
    path.chmod(0o755)
    return str(path)


# -- the order ----------------------------------------------------------------------


def test_default_holds_where_nothing_is_said(inner: Inner) -> None:
    inner.run(SHOWS_TIMEOUT, "-s").stdout.fnmatch_lines(["*TIMEOUT IS 10.0"])


def test_ini_wins_over_the_default(inner: Inner) -> None:
    result = inner.run(SHOWS_TIMEOUT, "-s", "-o", "tmux_timeout=21")
    result.stdout.fnmatch_lines(["*TIMEOUT IS 21.0"])


def test_environment_wins_over_the_ini(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUXLIFE_TIMEOUT", "22")
    result = inner.run(SHOWS_TIMEOUT, "-s", "-o", "tmux_timeout=21")
    result.stdout.fnmatch_lines(["*TIMEOUT IS 22.0"])


def test_fixture_wins_over_the_environment(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUXLIFE_TIMEOUT", "22")
    fixture = """
    import pytest

    @pytest.fixture
    def tmux_options():
        return {"timeout": 23}
    """
    source = fixture + SHOWS_TIMEOUT.replace("\n", "\n    ")
    inner.run(source, "-s").stdout.fnmatch_lines(["*TIMEOUT IS 23.0"])


@pytest.mark.tmux(timeout=24, size=(70, 20))
class TestMarkers:
    @pytest.fixture
    def tmux_options(self) -> dict[str, object]:
        return {"timeout": 23, "size": "60x10", "history_limit": 77}

    def test_marker_wins_over_the_fixture(self, tmux_server: Server) -> None:
        options = tmux_server.options
        assert (options.timeout, options.size) == (24.0, (70, 20))
        assert options.history_limit == 77

    @pytest.mark.tmux(timeout=25)
    def test_nearer_marker_wins_over_the_farther(self, tmux_server: Server) -> None:
        assert tmux_server.options.timeout == 25.0
        assert tmux_server.options.size == (70, 20)

    def test_call_wins_over_the_marker(self, tmux_server_factory) -> None:  # type: ignore[no-untyped-def]
        server = tmux_server_factory(timeout=26)
        assert (server.options.timeout, server.options.size) == (26.0, (70, 20))


def test_option_wins_over_environment_and_ini(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUXLIFE_BIN", wrapper_of_tmux(inner, "environment-tmux"))
    chosen = wrapper_of_tmux(inner, "option-tmux")
    ini = f"tmux_bin={wrapper_of_tmux(inner, 'ini-tmux')}"
    for arguments, expected in (
        (["-o", ini], "environment-tmux"),
        (["-o", ini, "--tmux-bin", chosen], "option-tmux"),
    ):
        result = inner.run("def test_it(tmux_pane): pass", *arguments)
        result.stdout.fnmatch_lines([f"tmuxlife: */{expected} *"])
        result.assert_outcomes(passed=1)


def test_environment_s_ignore_lines_replace_those_of_the_ini(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def test_it(tmux_pane, leave): leave(tmux_pane)"
    ini = ["-o", "tmux_leak_ignore=nothing like it # a reason"]
    assert inner.run(source, *ini).ret == 1
    monkeypatch.setenv("TMUXLIFE_LEAK_IGNORE", "sleep 1000 # it may\nother # it too")
    assert inner.run(source, *ini).ret == 0
    inner.assert_all_gone(2)


# -- --tmux-leak-check --------------------------------------------------------------

SHOWS_LEVEL = """
from pytest_tmuxlife.hooks.stash import SETTINGS_KEY

def test_it(request):
    print("LEVEL IS", request.config.stash[SETTINGS_KEY].leak_check)
"""


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        ([], "None"),
        (["--tmux-leak-check"], "fail"),
        (["--tmux-leak-check=fail"], "fail"),
        (["--tmux-leak-check=warn"], "warn"),
        (["--tmux-leak-check", "--tmux-leak-check=off"], "off"),
        (["-o", "tmux_leak_check=warn"], "warn"),
    ],
)
def test_leak_check_has_a_level_only_behind_an_equals_sign(
    inner: Inner, arguments: list[str], level: str
) -> None:
    """So the path that follows is a path."""
    result = inner.run(SHOWS_LEVEL, "-s", *arguments, "test_inner.py")
    result.stdout.fnmatch_lines([f"*LEVEL IS {level}"])
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("bad", ["on", "", "fail,warn"])
def test_bad_leak_check_level_is_a_usage_error(inner: Inner, bad: str) -> None:
    result = inner.run(SHOWS_LEVEL, f"--tmux-leak-check={bad}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*--tmux-leak-check=off/--tmux-leak-check=warn/--tmux-leak-check=fail: "
            f"ignored explicit argument '{bad}'"
        ]
    )


# -- bad values -----------------------------------------------------------------------

BAD = {
    "tmux_leak_grace": ("soon", "expected seconds, 0 or more"),
    "tmux_kill_grace": ("-1", "expected seconds, 0 or more"),
    "tmux_timeout": ("0", "expected seconds, more than 0"),
    "tmux_timeout_scale": ("nan", "expected a factor, more than 0"),
    "tmux_program": (
        "cobol",
        "expected one of bash, zsh, fish, dash, python, node, gdb, sqlite",
    ),
    "tmux_size": ("80", "expected COLUMNSxROWS, as 80x24"),
    "tmux_engine": ("steam", "expected one of native, process"),
    "tmux_leak_check": ("on", "expected one of off, warn, fail"),
    "tmux_spare": ("yes", "expected one of on, off"),
    "tmux_without": ("luck", "expected some of subreaper, cgroup"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_ini_value_is_a_usage_error(inner: Inner, name: str) -> None:
    value, valid = BAD[name]
    result = inner.run(SHOWS_TIMEOUT, "-o", f"{name}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: ini {name}='{value}': {valid}*"])


@pytest.mark.parametrize("name", BAD)
def test_bad_environment_value_is_a_usage_error(
    inner: Inner, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value, valid = BAD[name]
    variable = "TMUXLIFE_" + name.removeprefix("tmux_").upper()
    monkeypatch.setenv(variable, value)
    result = inner.run(SHOWS_TIMEOUT)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: environment {variable}='{value}': {valid}*"])


def test_limit_that_nobody_can_wait_for_is_a_usage_error(inner: Inner) -> None:
    """poll(2) takes some 24 days."""
    result = inner.run(SHOWS_TIMEOUT, "-o", "tmux_timeout=1e9")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    valid = "expected seconds, more than 0 and at most 100000"
    result.stderr.fnmatch_lines([f"ERROR: ini tmux_timeout='1e9': {valid}*"])


def test_every_setting_with_bad_values_is_tried() -> None:
    """All but the program's path, of which every text is one."""
    tried_elsewhere = {"tmux_bin", IGNORE.name}
    assert set(BAD) | tried_elsewhere == {one.name for one in ALL_SETTINGS}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("agent --serve", "'agent --serve' has no reason; write: expression # reason"),
        ("agent #", "'agent #' has no reason; write: expression # reason"),
        ("agent[ # a reason", "'agent[[]' is no regular expression: *"),
        (".* # a reason", "'.[*]' would allow every process"),
        (". # a reason", "'.' would allow every process"),
        (r"\S+ # a reason", "* would allow every process"),
    ],
)
def test_bad_ignore_line_is_a_usage_error(
    inner: Inner, line: str, complaint: str
) -> None:
    result = inner.run(SHOWS_TIMEOUT, "-o", f"tmux_leak_ignore={line}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: ini tmux_leak_ignore*: {complaint}"])


@pytest.mark.parametrize("file", ["pytest.ini", "pyproject.toml"])
def test_ignore_lines_of_a_file_are_read(inner: Inner, file: str) -> None:
    """Each line with its reason, which the report shows."""
    (inner.pytester.path / "pytest.ini").unlink()
    text = {
        "pytest.ini": "[pytest]\ntmux_leak_ignore =\n"
        "    nothing like it # one reason\n    sleep 1\\d+ # see # 12\n",
        "pyproject.toml": "[tool.pytest.ini_options]\ntmux_leak_ignore = [\n"
        "  'nothing like it # one reason', 'sleep 1\\d+ # see # 12']\n",
    }
    (inner.pytester.path / file).write_text(text[file])
    result = inner.run("def test_it(tmux_pane, leave): leave(tmux_pane)")
    result.assert_outcomes(passed=1)
    inner.assert_all_gone(1)


def test_bad_marker_value_fails_before_anything_starts(inner: Inner) -> None:
    result = inner.run(
        """
        import os, pytest

        @pytest.mark.tmux(size=(0, 24))
        def test_it(tmux_pane):
            pass

        @pytest.mark.tmux((80, 24))
        def test_by_position(tmux_pane):
            pass

        @pytest.fixture(autouse=True, scope="session")
        def is_started(request):
            yield
            from pytest_tmuxlife.hooks.stash import HARNESS_KEY
            print("STARTED:", HARNESS_KEY in request.config.stash)
        """,
        "-s",
    )
    result.stdout.fnmatch_lines(
        [
            "*STARTED: False",
            "*marker tmux of test_inner.py::test_it: size=(0, 24): each side must be*",
            "*marker tmux of *::test_by_position takes options by name only",
        ]
    )
    result.assert_outcomes(errors=2)


def test_fixture_that_returns_no_dict_is_named(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.fixture
        def tmux_options():
            return ["size"]

        def test_it(tmux_pane):
            pass
        """
    )
    result.stdout.fnmatch_lines(["*fixture tmux_options must return a dict of *"])


# -- what pytest lists --------------------------------------------------------------


def test_help_lists_every_setting_with_its_variable(inner: Inner) -> None:
    """Ini reference, options and help are one table."""
    result = inner.run("", "--help")
    text = " ".join(result.stdout.str().split())
    for setting in ALL_SETTINGS:
        assert f" {setting.name} (" in text
        assert f"{' '.join(setting.help.split())} [{setting.variable}]" in text
        if setting.option:
            assert f" {setting.option}=" in text
    assert "--tmux-required" in text


def test_markers_lists_ours_with_every_option(inner: Inner) -> None:
    from dataclasses import fields

    from pytest_tmuxlife.terminal.start.options import Options

    result = inner.run("", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.tmux([*][*]options): *"])
    text = result.stdout.str()
    assert all(option.name in text for option in fields(Options))


def test_required_tmux_that_is_missing_stops_the_run(inner: Inner) -> None:
    arguments = ["--tmux-bin=/nonexistent/tmux", "--tmux-required"]
    result = inner.run(SHOWS_TIMEOUT, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --tmux-required: /nonexistent/tmux not found; *"]
    )


def test_missing_tmux_skips_with_a_reason(inner: Inner) -> None:
    result = inner.run(SHOWS_TIMEOUT, "--tmux-bin=/nonexistent/tmux", "-rs")
    result.stdout.fnmatch_lines(["SKIPPED *: /nonexistent/tmux not found; install it*"])
    result.assert_outcomes(skipped=1)


def test_collecting_starts_nothing_even_if_tmux_is_required(inner: Inner) -> None:
    source = SHOWS_TIMEOUT
    arguments = ["--collect-only", "--tmux-required", "--tmux-bin=/nonexistent/tmux"]
    assert inner.run(source, *arguments).ret == pytest.ExitCode.OK


@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=lambda setting: setting.name)
def test_value_of_a_run_without_settings_is_the_declared_default(
    setting: Setting,
) -> None:
    """What the plain value has by itself is what the ini file would say."""
    names = {"bin": "tmux_asked", "leak_ignore": "ignore"}
    name = setting.name.removeprefix("tmux_")
    declared = setting.parse(setting.default)
    assert getattr(Settings(), names.get(name, name)) == declared
