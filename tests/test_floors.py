"""Imports point down: what stands below knows nothing of what stands on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pytest_tmuxlife

PACKAGE = Path(pytest_tmuxlife.__file__).parent
# From the ground up; what shares a floor may know each other.
FLOORS = [
    {"errors", "clock"},
    {"arguments", "open_files", "artifacts", "containment"},
    {"leaks", "terminal"},
    {"hookspecs", "run_settings"},
    {"harness", "settings"},
    {"hooks"},
    {"fixtures", "shared_fixtures"},
    {"plugin", "__init__"},
]
TERMINAL = [
    {"tmux", "programs"},
    {"start", "sight"},
    {"typing"},
    {"dialogue"},
    {"commands"},
    {
        "attached",
        "directory",
        "expectation",
        "health",
        "lasting",
        "pane",
        "server",
        "session",
        "size",
    },
]
KNOWS_PYTEST = {
    "fixtures",
    "hooks",
    "hookspecs",
    "plugin",
    "settings",
    "shared_fixtures",
}


def imports(path: Path) -> Iterator[str]:
    """The modules that one imports when it runs, wherever that stands in it."""
    tree = ast.parse(path.read_text())
    only_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_knows_what_stands_on_it() -> None:
    assert list(_upwards(PACKAGE, "pytest_tmuxlife.", FLOORS)) == [
        # The version, which has to stand there.
        "hooks/publishing.py: pytest_tmuxlife.__version__"
    ]


def test_floors_of_the_terminal() -> None:
    within = PACKAGE / "terminal"
    assert list(_upwards(within, "pytest_tmuxlife.terminal.", TERMINAL)) == []


@pytest.mark.parametrize(
    ("one", "other"), [("leaks", "terminal"), ("terminal", "leaks")]
)
def test_leaks_and_terminal_do_not_know_each_other(one: str, other: str) -> None:
    known = {name for path in (PACKAGE / one).rglob("*.py") for name in imports(path)}
    assert not {name for name in known if name.startswith(f"pytest_tmuxlife.{other}")}


def test_only_the_top_knows_pytest() -> None:
    knowing = {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for path in PACKAGE.rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] in ("pytest", "_pytest", "pluggy", "xdist")
    }
    assert knowing == KNOWS_PYTEST


def test_no_module_comes_back_to_itself() -> None:
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }
    graph = {
        module: {
            known
            for name in imports(path)
            for known in (name, name.rpartition(".")[0])
            if known in modules
        }
        for module, path in modules.items()
    }
    # Raises CycleError, with the circle.
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)


def _upwards(within: Path, prefix: str, floors: list[set[str]]) -> Iterator[str]:
    """Each import of something above; every module has to stand on a floor."""
    height = {name: number for number, floor in enumerate(floors) for name in floor}
    for path in sorted(within.rglob("*.py")):
        own = path.relative_to(within).parts[0].removesuffix(".py")
        if own == "__init__" and own not in height:
            continue
        for name in imports(path):
            if not f"{name}.".startswith(prefix):
                continue
            known = name.removeprefix(prefix).split(".")[0]
            if height.get(known, len(floors)) > height[own]:
                yield f"{path.relative_to(within)}: {name}"
