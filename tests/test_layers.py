"""Which layer sees which way out, with a child subreaper and without one.

What stands in the table of docs/explanation/layers.md is what happens here.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import Inner, needs
from runs import eventually

from pytest_tmuxlife.containment import cgroup

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "layers.md"
GONE_LIMIT = 30.0
INNER_TEST = "test_inner.py::test_way[{}]"
HOME, WHY_NO_CGROUP = cgroup.find_home()
LINEAGE, CGROUP, SESSION, MARKER = LAYERS = ("lineage", "cgroup", "session", "marker")


@dataclass(frozen=True)
class Way:
    """A way out.

    Attributes:
        name: As the table calls it.
        line: What is typed; with {older}, {home} and {daemon}.
        seen: The layers that see it.
        without: Those that do without a subreaper.
        as_root: Only root can go it.
    """

    name: str
    line: str
    seen: tuple[str, ...]
    without: tuple[str, ...]
    as_root: bool = False


STAYS = "$PYTHON $PROGRAMS/stays.py"
ALL = (LINEAGE, CGROUP, MARKER)
WAYS = {
    "child": Way("child that ignores SIGHUP", f"{STAYS} HUP", ALL, ALL),
    "orphan": Way(
        "orphan in the pane's Unix session",
        f"({STAYS} HUP & )",
        ALL,
        (CGROUP, SESSION, MARKER),
    ),
    "setsid": Way(
        "orphan in a Unix session of its own (setsid)",
        f"setsid {STAYS} &",
        ALL,
        (CGROUP, MARKER),
    ),
    "double": Way(
        "double fork",
        "$PYTHON $PROGRAMS/double_forks.py",
        ALL,
        (CGROUP, MARKER),
    ),
    "cleared": Way(
        "the same with its environment cleared",
        f'env -i READY="$READY" setsid {STAYS} &',
        (LINEAGE, CGROUP),
        (CGROUP,),
    ),
    "moved": Way(
        "moved to another cgroup",
        f"sh -c 'echo $$ > {{home}}/cgroup.procs; exec setsid -f {STAYS}'",
        (LINEAGE, MARKER),
        (MARKER,),
        as_root=True,
    ),
    "adopted": Way(
        "adopted by a child subreaper of the test's own",
        "$PYTHON $PROGRAMS/adopts.py",
        ALL,
        ALL,
    ),
    "namespace": Way(
        "in a PID namespace of its own",
        f"unshare --pid --fork setsid {STAYS} &",
        ALL,
        ALL,
        as_root=True,
    ),
    "older": Way(
        "adopted by an older PID namespace",
        f"nsenter -t {{older}} -p setsid -f {STAYS}",
        (CGROUP, MARKER),
        (CGROUP, MARKER),
        as_root=True,
    ),
    "cleared older": Way(
        "the same with its environment cleared",
        f'nsenter -t {{older}} -p env -i READY="$READY" setsid -f {STAYS}',
        (CGROUP,),
        (CGROUP,),
        as_root=True,
    ),
    "daemon": Way(
        "started by an older daemon with a copy of the environment",
        f"env -0 > env; printf '%s\\t%s\\n' $PWD/env '{STAYS}' > {{daemon}}",
        (MARKER,),
        (MARKER,),
    ),
    "clean daemon": Way(
        "started by an older daemon with an environment of its own",
        "env -0 -u TMUXLIFE_MARK > env; "
        f"printf '%s\\t%s\\n' $PWD/env '{STAYS}' > {{daemon}}",
        (),
        (),
    ),
}

INNER = """
import json
import os
import subprocess
import sys

import pytest

LINES = {lines!r}
HOME = {home!r}

@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("daemon") / "requests")
    os.mkfifo(path)
    theirs = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    ours = os.open(path, os.O_WRONLY)
    os.set_blocking(theirs, True)
    program = os.environ["TEST_PROGRAMS"] + "/older_daemon.py"
    subprocess.run([sys.executable, program], stdin=theirs, check=True)
    os.close(theirs)
    yield path
    os.close(ours)

@pytest.fixture(scope="session")
def older():
    if os.geteuid():
        yield 0
        return
    # No child of ours; its input ends when this process does, after the run.
    first = "read pid rest < /proc/self/stat; echo $pid; exec cat > /dev/null"
    script = f"exec 3<&0; unshare --pid --fork sh -c '{{first}}' <&3 3<&- &"
    theirs, ours = os.pipe()
    shell = subprocess.Popen(["sh", "-c", script], stdin=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    with shell:
        yield int(shell.stdout.readline())

@pytest.mark.parametrize("way", LINES)
def test_way(way, daemon, older, tmux_pane, start, pytestconfig):
    line = LINES[way].format(daemon=daemon, older=older, home=HOME)
    with open(pytestconfig.rootpath / "pids", "a") as file:
        file.write(json.dumps([way, start(tmux_pane, line)]) + "\\n")
"""
INI = "tmux_leak_grace = 0.3\ntmux_kill_grace = 0.2\n"


def possible() -> dict[str, Way]:
    """The ways that can be gone here."""
    is_root = os.geteuid() == 0
    ways = {name: way for name, way in WAYS.items() if is_root or not way.as_root}
    if WHY_NO_CGROUP:
        ways.pop("moved", None)
    return ways


def seen_in(root: Path) -> dict[tuple[int, str], tuple[str, ...]]:
    """By pid and test, the layers that saw each process that was reported."""
    document = json.loads((root / "report.json").read_text())
    return {
        (leak["process"]["pid"], finding["owner"]): tuple(leak["seen_by"])
        for finding in document["findings"]
        for leak in finding["leaks"]
    }


def announced_in(root: Path) -> dict[str, list[int]]:
    """By way, the processes that went it."""
    lines = (root / "pids").read_text().splitlines()
    return dict(json.loads(line) for line in lines)


@needs("nsenter")
@pytest.mark.parametrize("mode", ["subreaper", "no subreaper", "no cgroup"])
def test_each_way_out_is_seen_by_the_layers_of_the_table(
    inner: Inner, mode: str
) -> None:
    """What none sees is not reported, and lives on."""
    ways = possible()
    source = INNER.format(lines={k: v.line for k, v in ways.items()}, home=HOME)
    ini = INI
    if mode != "subreaper":
        ini += f"tmux_without = {mode.removeprefix('no ')}\n"
    run = inner.run(source, "--tmux-leak-report=report.json", ini=ini)
    has_cgroup = not WHY_NO_CGROUP and mode != "no cgroup"
    expected = {}
    for name, way in ways.items():
        seen = way.without if mode == "no subreaper" else way.seen
        expected[name] = {
            tuple(layer for layer in seen if layer != CGROUP or has_cgroup)
        }
    reported = seen_in(inner.pytester.path)
    announced = announced_in(inner.pytester.path)
    assert {
        name: {
            reported.get((pid, f"test_inner.py::test_way[{name}]"), ()) for pid in pids
        }
        for name, pids in announced.items()
    } == expected
    assert len(reported) == sum(
        len(pids) for name, pids in announced.items() if expected[name] != {()}
    )

    def left() -> list[int]:
        return [one.pid for one in run.watched if one.is_running]

    # A namespace ends with its first process, which here goes with the run.
    eventually(lambda: left() == announced["clean daemon"], GONE_LIMIT)
    assert left() == announced["clean daemon"]


def row(way: Way) -> tuple[str, ...]:
    """How the table shows it."""
    marks = ["yes" if layer in way.seen else "-" for layer in ALL]
    return (way.name, *marks, ", ".join(way.without) or "-")


def test_table_of_the_docs_says_what_happens_here() -> None:
    lines = PAGE.read_text().partition("<!-- table: layers -->\n")[2].split("\n\n")[0]
    cells = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in lines.strip().splitlines()
    ]
    assert cells[2:] == [row(way) for way in WAYS.values()]
