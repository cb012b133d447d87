"""The report as text: what it makes of odd, long, deep and many things."""

from __future__ import annotations

import os

import pytest
from findings import SERVER, SHELL, SUPERVISOR, leak, process, verdict

from pytest_tmuxlife.containment.processes import ProcessTree
from pytest_tmuxlife.leaks.leak import Descriptor, Leak
from pytest_tmuxlife.leaks.model import Finding, Verdict
from pytest_tmuxlife.leaks.particulars import duration, printable, shortened, size
from pytest_tmuxlife.leaks.report import (
    count,
    headline,
    report,
    report_server,
    signal_name,
)
from pytest_tmuxlife.leaks.rules import Permission


def lines_of(found: Verdict) -> list[str]:
    return report_server(found)


# -- what is said of one survivor ---------------------------------------------


def test_survivor_stands_below_the_pane_that_it_came_from() -> None:
    """The tree is drawn as it stood: server, pane, survivor."""
    info = process(20, SHELL)
    server, pane, survivor = lines_of(verdict(leak(info), noted=(info,)))[2:5]
    assert server.split() == ["tmux:", "server", "11", "gone"]
    assert pane.startswith("└─ bash 12 (pane %0)")
    assert survivor.startswith("   └─ sleep 20")
    assert survivor.endswith("ALIVE 3.0 s   ignores SIGHUP")


def test_survivor_of_a_pane_that_was_closed_in_the_test_stands_below_it() -> None:
    """After kill-session nothing is left to note, but the pane is known."""
    info = process(20, SUPERVISOR)
    lines = lines_of(verdict(leak(info), ended=True))
    assert "at the end of the test" in lines[0]
    assert lines[2].endswith("gone before the test ended")
    assert lines[3].startswith("└─ pane %0 (process 12)")
    assert lines[4].startswith("   └─ sleep 20")


def test_survivor_is_drawn_although_its_pane_was_about_to_go() -> None:
    """The server was gone when the tree was noted, and its shell not quite."""
    info = process(20, SHELL)
    known = {SHELL: process(SHELL, SUPERVISOR, "bash"), 20: info}
    tree = ProcessTree(SUPERVISOR, known)
    text = "\n".join(
        lines_of(Verdict(SERVER, 2.5, tree, [leak(info)], pane_ids={SHELL: "%0"}))
    )
    assert "─ bash 12" in text
    assert "─ sleep 20" in text


def test_survivor_has_the_name_that_it_ended_up_with() -> None:
    """A shell's child that was noted before it became the program."""
    noted = process(20, SHELL, "bash")
    lines = lines_of(verdict(leak(process(20, SUPERVISOR)), noted=(noted,)))
    assert lines[4].startswith("   └─ sleep 20")


def test_orphan_of_no_known_pane_says_who_started_it() -> None:
    """What left every pane's session stands apart, with its origin."""
    info = process(20, SUPERVISOR, sid=20)
    text = "\n".join(lines_of(verdict(leak(info, started_by="agent 19"))))
    assert "orphans, adopted when their parents were gone:\n└─ sleep 20" in text
    assert "ignores SIGHUP, started by agent 19" in text


def test_child_of_an_orphan_hangs_below_it() -> None:
    """An orphan keeps its children in the drawing."""
    parent = process(20, SUPERVISOR, sid=20)
    child = process(21, 20, sid=20)
    text = "\n".join(lines_of(verdict(leak(parent), leak(child))))
    assert "└─ sleep 20" in text
    assert "\n   └─ sleep 21" in text


def test_zombie_is_marked_as_one() -> None:
    """A zombie is no living process."""
    info = process(20, SHELL, state="Z")
    found = leak(info, "zombie: exited, and bash 12 does not wait for it")
    assert "ZOMBIE 3.0 s" in "\n".join(lines_of(verdict(found, noted=(info,))))


def test_descriptors_of_one_target_share_a_line() -> None:
    """Three descriptors of a terminal are one fact; a listener has no direction."""
    held = (
        Descriptor(0, "rw", "/dev/pts/0 (deleted)"),
        Descriptor(1, "rw", "/dev/pts/0 (deleted)"),
        Descriptor(3, "w", "/tmp/ws/output.jsonl"),
        Descriptor(5, "rw", "listens on 127.0.0.1:40211"),
    )
    info = process(20, SHELL)
    lines = lines_of(verdict(leak(info, descriptors=held), noted=(info,)))
    shown = [line.strip() for line in lines if " fd " in line]
    assert shown == [
        "fd 0,1rw /dev/pts/0 (deleted)",
        "fd 3w /tmp/ws/output.jsonl",
        "fd 5 listens on 127.0.0.1:40211",
    ]


def test_working_directory_is_not_repeated_for_a_child_that_has_the_same() -> None:
    """A tree in one directory names it once."""
    parent, child = process(20, SHELL), process(21, 20)
    leaks = [leak(info, cwd="/srv/ws") for info in (parent, child)]
    text = "\n".join(lines_of(verdict(*leaks, noted=(parent, child))))
    assert text.count("cwd /srv/ws") == 1


def test_pane_process_that_got_a_signal_says_which() -> None:
    """What the supervisor itself waited for ended in a known way."""
    info = process(20, SHELL)
    found = verdict(leak(info), noted=(info,))
    found = Verdict(
        SERVER, 2.5, found.tree, found.leaks, (), found.pane_ids, {SHELL: -1}
    )
    assert "gone, SIGHUP" in "\n".join(lines_of(found))


def test_allowed_survivor_is_listed_with_its_reason() -> None:
    """What may stay is marked in the tree and named below it."""
    info, kept = process(20, SHELL), process(21, SHELL, "ssh-agent")
    found = verdict(leak(info), noted=(info, kept))
    found = Verdict(
        SERVER, 2.5, found.tree, found.leaks, [(kept, Permission("kept on purpose"))]
    )
    lines = lines_of(found)
    assert "allowed: ssh-agent 21: kept on purpose" in lines
    assert any("ssh-agent 21" in line and "alive, allowed" in line for line in lines)


# -- odd, long, deep, many -------------------------------------------------------


def test_odd_bytes_and_control_characters_are_escaped() -> None:
    """A command line cannot move the reader's cursor or break the encoding."""
    odd = os.fsdecode(b"bad\xff") + "\x1b[2J\nx"
    assert printable(odd) == r"bad\xff\x1b[2J\nx"


@pytest.mark.parametrize("text", ["é ▶ 日本", "plain text", "└─"])
def test_text_that_can_be_shown_stays_as_it_is(text: str) -> None:
    """Only what cannot be shown is escaped."""
    assert printable(text) == text


def test_report_of_odd_bytes_everywhere_can_be_encoded() -> None:
    """Names, commands, directories, targets and reasons may hold any bytes."""
    odd = os.fsdecode(b"\xff\xfe\n\x1b")
    info = process(20, SHELL, odd, odd, odd)
    held = (Descriptor(3, "w", odd),)
    found = leak(info, odd, cwd=odd, started_by=odd, descriptors=held)
    text = report(Finding(odd, verdicts=[verdict(found)]))
    assert text.encode()
    assert "\x1b" not in text


def test_long_command_line_is_cut() -> None:
    """Two hundred characters say what it is."""
    line = "java " + "-Dproperty=value " * 500
    assert len(shortened(line)) == 200
    assert shortened(line).endswith("...")


def test_deep_tree_is_drawn_whole_and_stays_on_the_screen() -> None:
    """Two thousand generations are drawn, none further right than a terminal."""
    chain = [process(20, SHELL)]
    chain += [process(pid, pid - 1) for pid in range(21, 2020)]
    lines = lines_of(verdict(leak(chain[-1]), noted=tuple(chain)))
    assert sum("sleep" in line for line in lines) >= 2000
    drawn = [line.split("sleep")[0] for line in lines if "─ sleep" in line]
    assert max(map(len, drawn)) < 80


def test_many_clean_siblings_are_only_counted() -> None:
    """One survivor among a hundred that ended is not lost in the list."""
    crowd = [process(pid, SHELL, "cc") for pid in range(100, 200)]
    info = process(20, SHELL)
    lines = lines_of(verdict(leak(info), noted=(*crowd, info)))
    assert sum(" cc " in line for line in lines) == 4
    assert any(line.split()[-4:] == ["...", "96", "more", "gone"] for line in lines)
    assert any("sleep 20" in line and "ALIVE" in line for line in lines)


def test_report_of_a_fork_bomb_is_bounded() -> None:
    """Five thousand survivors are counted, the first are described."""
    bomb = [process(pid, SUPERVISOR, "bomb", sid=pid) for pid in range(100, 5100)]
    lines = lines_of(verdict(*map(leak, bomb)))
    assert "5000 processes outlived" in lines[0]
    assert "... and 4800 more that are not drawn" in lines
    assert len(lines) < 400


def test_advice_is_given_once_for_all_that_it_is_for() -> None:
    """The same advice is not repeated, and names no more than a few."""
    group = [process(pid, SHELL) for pid in range(20, 30)]
    lines = lines_of(verdict(*map(leak, group), noted=tuple(group)))
    expected = "sleep 20, sleep 21, sleep 22, sleep 23 and 6 more: end it by its pid"
    assert lines[-1] == expected


def test_every_server_that_leaked_has_a_block() -> None:
    """A test with two servers shows both trees under one headline."""
    info = process(20, SHELL)
    found = verdict(leak(info), noted=(info,))
    other = Verdict(99, 1.0, ProcessTree(98, {}), [leak(process(30, 98, sid=30))])
    text = report(Finding("tests/test_x.py::test_y", verdicts=[found, other]))
    assert text.splitlines()[0] == "LEAKED tests/test_x.py::test_y"
    assert "1 process outlived tmux server 11; looked for 2.5 s" in text
    assert "1 process outlived tmux server 99; looked for 1.0 s" in text


def test_what_is_no_process_has_a_line_and_its_place() -> None:
    """A descriptor of the fixture: what it is, where it was opened, what to do."""
    log = Leak(
        "descriptor",
        "open since the set-up",
        ("descriptors",),
        None,
        "agent.py:41 deploy()",
        "close it",
        target="11w /srv/agent.jsonl",
    )
    finding = Finding("fixture log (session)", "fixture", leaks=[log])
    assert headline(finding) == "1 descriptor outlived the fixture"
    assert report(finding).splitlines() == [
        "LEAKED fixture log (session)",
        "1 descriptor outlived the fixture",
        "",
        "descriptor 11w /srv/agent.jsonl         open since the set-up  "
        "opened in agent.py:41 deploy()",
        "",
        "descriptor 11w /srv/agent.jsonl: close it",
    ]


def test_processes_beside_a_server_are_drawn_with_what_they_hold() -> None:
    """As below a server: children under their parents, and where they were started."""
    held = (Descriptor(3, "w", "/srv/agent.log"),)
    agent = leak(
        process(20, SUPERVISOR, "agent", "agent", "--serve"),
        "still runs, a child of pytest",
        opened_at="agent.py:41 deploy()",
        descriptors=held,
    )
    child = leak(process(21, 20), "below agent 20")
    assert report(Finding("test_x.py::test_y", leaks=[agent, child])).splitlines() == [
        "LEAKED test_x.py::test_y",
        "2 processes outlived the test",
        "",
        "agent 20                                ALIVE 3.0 s   "
        "still runs, a child of pytest, started in agent.py:41 deploy()",
        "│    agent --serve",
        "│    fd 3w /srv/agent.log",
        "│    ppid 10  pgid 20  sid 12  no terminal",
        "└─ sleep 21                             ALIVE 3.0 s   below agent 20",
        "        sleep",
        "        ppid 20  pgid 21  sid 12  no terminal",
        "",
        "agent 20, sleep 21: end it by its pid",
    ]


def test_shortened_wait_says_why() -> None:
    """A grace that an alarm cut short is not passed off as the whole one."""
    info = process(20, SHELL)
    found = verdict(leak(info), noted=(info,))
    cut = Verdict(SERVER, 0.1, found.tree, found.leaks, limited_by="alarm is due")
    assert lines_of(cut)[0].endswith("0.1 s after kill-server (alarm is due)")


# -- words -----------------------------------------------------------------------


def test_kinds_are_counted_apart() -> None:
    """Each kind has its own number, in the plural where it is one."""
    zombie = leak(process(22, SHELL), kind="zombie")
    leaks = [leak(process(20, SHELL)), leak(process(21, SHELL)), zombie]
    assert count(leaks) == "2 processes and 1 zombie"
    assert count([]) == "nothing"
    finding = Finding("test_x", verdicts=[verdict(*leaks)])
    assert headline(finding) == "2 processes and 1 zombie outlived tmux server 11"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (12.14, "12.1 s"),
        (119.9, "119.9 s"),
        (120, "2 min"),
        (7200, "2.0 h"),
        (90000, "25.0 h"),
    ],
)
def test_duration_is_in_the_unit_that_people_use(seconds: float, text: str) -> None:
    """Seconds, minutes and hours, each where it fits."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 kB"),
        (4096, "4 kB"),
        ((1 << 20) - 1, "1024 kB"),
        (1 << 20, "1.0 MB"),
        (5 << 30, "5.0 GB"),
    ],
)
def test_size_is_in_the_unit_that_people_use(number: int, text: str) -> None:
    """Kilobytes, megabytes and gigabytes, each where it fits."""
    assert size(number) == text


def test_signal_without_a_name_is_given_by_number() -> None:
    """Real-time signals have numbers only."""
    assert signal_name(1) == "SIGHUP"
    assert signal_name(40) == "signal 40"


# -- what a process is called ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "command", "label"),
    [
        ("python3", ("python3", "agent.py", "--serve"), "agent"),
        ("python3.11", ("/usr/bin/python3.11", "-W", "error", "/srv/a.py"), "a"),
        ("python3", ("python3", "-m", "http.server", "0"), "http.server"),
        ("python3", ("python3", "-Bc", "import x"), "python3"),
        ("node-MainThread", ("node", "mcp-server.js"), "mcp-server"),
        ("MainThread", ("node", "-e", "1"), "node"),
        ("bash", ("bash", "--norc", "-i"), "bash"),
        ("sh", ("sh", "-c", "sleep 1"), "sh"),
        ("bash", ("-bash",), "-bash"),
        ("vim", ("vim", "agent.py"), "vim"),
        ("python3", (), "python3"),
    ],
)
def test_script_is_called_by_its_own_name(
    name: str, command: tuple[str, ...], label: str
) -> None:
    """Not python3 five times, but the scripts that it runs."""
    assert process(20, SHELL, name, *command).label == label
