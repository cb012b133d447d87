"""What can be imported, and what a run that uses nothing of it pays."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from inner import Inner

import pytest_tmuxlife

PACKAGE = Path(pytest_tmuxlife.__file__).parent
KNOWS_PYTEST = {
    "plugin.py",
    "fixtures.py",
    "hookspecs.py",
    "settings.py",
    "shared_fixtures.py",
}


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def test_all_is_what_is_public() -> None:
    """Nothing public is missing from ``__all__``; it is sorted and has no double."""
    exported = pytest_tmuxlife.__all__
    assert len(exported) == len(set(exported))
    homes = {name for names in pytest_tmuxlife._HOMES.values() for name in names}
    assert set(exported) == homes
    assert "__version__" not in exported
    assert pytest_tmuxlife.__version__


@pytest.mark.parametrize("name", pytest_tmuxlife.__all__)
def test_name_can_be_imported_and_is_documented(name: str) -> None:
    value = getattr(importlib.import_module("pytest_tmuxlife"), name)
    assert value.__doc__
    assert name in dir(pytest_tmuxlife)


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING and the table of homes are one."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    seen = {
        (node.module or "").removeprefix("pytest_tmuxlife."): {
            alias.name for alias in node.names
        }
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }
    homes = {home: set(names) for home, names in pytest_tmuxlife._HOMES.items()}
    assert seen == homes


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sever'"):
        pytest_tmuxlife.Sever  # noqa: B018


def imports_of(path: Path) -> set[str]:
    """Top-level names of all that a module imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_only_the_top_knows_pytest() -> None:
    """What is below works in a plain Python shell."""
    knowing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "hooks" and imports_of(path) & {"pytest", "_pytest"}
    }
    assert knowing <= KNOWS_PYTEST


def test_package_and_its_values_import_no_pytest() -> None:
    program = (
        "import sys, pytest_tmuxlife as p\n"
        "names = set(p.__all__) - set(p._HOMES['fixtures'])\n"
        "for name in sorted(names): getattr(p, name)\n"
        "assert 'pytest' not in sys.modules, 'pytest was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_run_without_our_fixtures_imports_next_to_nothing(inner: Inner) -> None:
    """Neither the libraries that we need, nor what talks to tmux or to helpers."""
    result = inner.run(
        """
        import sys

        def test_it(tmp_path):
            ours = "pytest_tmuxlife."
            costly = ["psutil", "libtmux", "pexpect", "filelock", "ctypes"]
            costly += [ours + name for name in (
                "harness.harness", "harness.keeper", "containment.reaper",
                "containment.supervisor", "hooks.whole_run",
                "terminal.server", "terminal.pane", "leaks.finder", "leaks.report")]
            assert [name for name in costly if name in sys.modules] == []
        """
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", [[], ["--collect-only"]])
def test_run_without_our_fixtures_starts_no_helper(
    inner: Inner, arguments: list[str]
) -> None:
    """Nor does one that only collects tests which use them."""
    inner.pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure(config):
            started = "pytest_tmuxlife.containment.reaper" in sys.modules
            sys.stdout.write(f"HELPERS: {started}")
        """
    )
    uses = "tmux_pane" if arguments else "tmp_path"
    result = inner.run(f"def test_it({uses}): pass", *arguments)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*HELPERS: False*"])
