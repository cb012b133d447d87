"""README and docs say what the code does: examples run, tables agree."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from examples_in_docs import PAGES, ROOT, Example, comparable, read, table

import pytest_tmuxlife
from pytest_tmuxlife import hookspecs, plugin
from pytest_tmuxlife.leaks.exemptions import EXEMPTIONS
from pytest_tmuxlife.settings import ALL_SETTINGS, add_options
from pytest_tmuxlife.terminal.programs.presets import PRESETS
from pytest_tmuxlife.terminal.start.environment import KEPT
from pytest_tmuxlife.terminal.start.options import Options

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PACKAGE = ROOT / "pytest_tmuxlife"
EXAMPLES = [example for page in PAGES for example in read(page).examples]
RUN_LIMIT = 120.0

SETTINGS_TABLE = [
    ("ini value", "environment", "option", "default", "what it sets"),
    *(
        (
            f"`{setting.name}`",
            f"`{setting.variable}`",
            f"`{setting.option}`" if setting.option else "",
            f"`{setting.default}`" if setting.default else "",
            setting.help,
        )
        for setting in ALL_SETTINGS
    ),
]


# -- examples ----------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_example_ends_as_the_page_says(
    example: Example, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example runs as shown, with its outcomes and its output."""
    for variable in ("CI", "BUILD_NUMBER", "COLUMNS"):
        # On a CI machine pytest prints its summary in another way.
        monkeypatch.delenv(variable, raising=False)
    for name, text in example.files.items():
        (pytester.path / name).write_text(text)
    done = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", *example.arguments, timeout=RUN_LIMIT
    )
    done.assert_outcomes(**example.outcomes)
    printed = comparable(done.stdout.str())
    expected = [line for line in comparable(example.output) if line or example.whole]
    if example.whole:
        start = printed.index(expected[0])
        assert printed[start : start + len(expected)] == expected
    else:
        assert [line for line in expected if line not in printed] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_python_of_a_page_is_left_untried(page: Path) -> None:
    """A Python block without a run is a block that can rot."""
    assert read(page).unmarked == []


def test_the_suite_knows_how_many_examples_there_are() -> None:
    """A mark that is spelt wrongly would take its example out silently."""
    text = "".join(page.read_text() for page in PAGES)
    assert len(EXAMPLES) == text.count("<!-- run: ") > 10
    assert sum(bool(example.output) for example in EXAMPLES) == text.count(
        "<!-- output"
    )


# -- tables ------------------------------------------------------------------


@pytest.mark.parametrize("page", [README, DOCS / "reference" / "settings.md"])
def test_table_of_settings_is_that_of_the_code(page: Path) -> None:
    """Names, variables, options, defaults and help are the declared ones."""
    assert table(page, "settings") == SETTINGS_TABLE


@pytest.mark.parametrize("page", [README, DOCS / "reference" / "fixtures.md"])
def test_table_of_options_has_each_with_its_default(page: Path) -> None:
    """Every option of `tmux(...)` is there, none besides."""
    defaults = Options()
    assert [row[:2] for row in table(page, "options")[1:]] == [
        (f"`{option.name}`", f"`{getattr(defaults, option.name)!r}`")
        for option in fields(Options)
    ]


@pytest.mark.parametrize("page", [README, DOCS / "reference" / "fixtures.md"])
def test_table_of_fixtures_has_each(page: Path) -> None:
    """Every public fixture is there, none besides."""
    public = {f"`{name}`" for name in plugin.__all__ if not name.startswith("_")}
    assert {row[0] for row in table(page, "fixtures")[1:]} == public


def test_table_of_presets_is_that_of_the_code() -> None:
    """Names, objects, programs, prompts, statuses and how they end."""
    assert table(DOCS / "reference" / "programs.md", "presets")[1:] == [
        (
            f"`{name}`",
            f"`{name.upper()}`",
            f"`{' '.join(preset.argv)}`",
            "reported" if preset.reports else "seen",
            "yes" if preset.has_status else "`None`",
            f"`{preset.quit}`",
        )
        for name, preset in PRESETS.items()
    ]
    for name, preset in PRESETS.items():
        assert getattr(pytest_tmuxlife, name.upper()) is preset


@pytest.mark.parametrize("page", [README, DOCS / "reference" / "settings.md"])
def test_option_of_the_command_line_is_named_beside_the_table(
    page: Path,
) -> None:
    """Those that no ini value sets are in no table."""
    of_settings = {setting.option for setting in ALL_SETTINGS}
    parser = pytest.Parser(_ispytest=True)
    add_options(parser)
    options = parser.getgroup("tmux").options
    names = {name.partition("=")[0] for one in options for name in one.names()}
    assert names > {"--tmux-required", "--tmux-leak-report"}
    text = page.read_text()
    assert [name for name in names - of_settings if f"`{name}" not in text] == []


def test_every_field_of_the_json_report_is_described() -> None:
    """The page has each that the schema has."""
    schema = json.loads((PACKAGE / "leaks" / "report.schema.json").read_text())
    names = set(schema["properties"])
    for part in schema["$defs"].values():
        names |= set(part["properties"])
    page = (DOCS / "reference" / "leak-report.md").read_text()
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_every_hook_is_described() -> None:
    page = (DOCS / "reference" / "hooks.md").read_text()
    declared = [name for name in vars(hookspecs) if name.startswith("pytest_tmuxlife_")]
    assert declared
    assert [name for name in declared if f"## {name}(" not in page] == []


def test_reference_has_every_public_name() -> None:
    """What can be imported from the package can be looked up."""
    text = "".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    errors = {
        name
        for name in pytest_tmuxlife.__all__
        if getattr(pytest_tmuxlife, name).__module__ == "pytest_tmuxlife.errors"
    }
    listed = set(
        re.findall(
            r"^\.\. (?:auto(?:class|function)|py:data):: (\w+)$", text, re.MULTILINE
        )
    )
    assert ".. automodule:: pytest_tmuxlife.errors" in text
    assert listed | errors == set(pytest_tmuxlife.__all__)


def test_every_kept_variable_is_listed() -> None:
    """What panes get from the environment is written down, by name."""
    page = (DOCS / "explanation" / "isolation.md").read_text()
    names = page.partition("<!-- list: kept -->\n")[2].split("\n")[0]
    assert tuple(re.findall(r"`(\w+)`", names)) == KEPT


def test_table_of_exemptions_has_each() -> None:
    """Every named predicate is there, none besides."""
    page = DOCS / "explanation" / "attribution.md"
    names = [f"`{one.applies.__name__}`" for one in EXEMPTIONS]
    assert [row[0] for row in table(page, "exemptions")[1:]] == names


# -- links -------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Every file that a page links to is there."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    missing = [
        target
        for target in targets
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert missing == []
