"""How pytest shows that a test has leaked, whatever its options."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from inner import Inner

LEAKING = """
def test_clean(tmux_pane):
    tmux_pane.run("true")

def test_leaking(tmux_pane, leave):
    leave(tmux_pane)
"""
TWO_LEAKING = """
def test_first(tmux_pane, leave):
    leave(tmux_pane)

def test_second(tmux_pane, leave):
    leave(tmux_pane)

def test_third(tmux_pane):
    print("THIRD RAN")
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def test_leak_is_a_failure_with_the_tree(inner: Inner) -> None:
    """Block, summary line, counts and exit status; the survivor is gone."""
    result = inner.run(LEAKING)
    pid = inner.survivors[0].pid
    result.stdout.fnmatch_lines(
        [
            "test_inner.py ..L*",
            "*= FAILURES =*",
            "*_ test_leaking _*",
            "LEAKED test_inner.py::test_leaking",
            "1 process outlived tmux server *; looked for * s after kill-server",
            "",
            "tmux: server * gone",
            "*bash * (pane %0) * gone, SIGHUP",
            f"*sleep {pid} * ALIVE * ignores SIGHUP*",
            "*= short test summary info =*",
            "LEAKED test_inner.py::test_leaking - 1 process outlived tmux server *",
            "*= 1 failed, 2 passed in *",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    inner.assert_all_gone(1)


def test_clean_test_says_nothing(inner: Inner) -> None:
    result = inner.run("def test_clean(tmux_pane):\n    tmux_pane.run('true')\n")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*LEAKED*")
    assert result.ret == pytest.ExitCode.OK


def test_quiet_run_shows_the_block(inner: Inner) -> None:
    result = inner.run(LEAKING, "-q")
    result.stdout.fnmatch_lines(
        ["..L *", "LEAKED test_inner.py::test_leaking", "1 failed, 2 passed in *"]
    )
    assert result.ret == 1


def test_verbose_run_names_the_outcome(inner: Inner) -> None:
    result = inner.run(LEAKING, "-v")
    result.stdout.fnmatch_lines(
        [
            "test_inner.py::test_leaking PASSED*",
            "test_inner.py::test_leaking LEAKED*",
            "LEAKED test_inner.py::test_leaking",
        ]
    )


@pytest.mark.parametrize("style", ["short", "native", "long", "auto"])
def test_every_traceback_style_shows_the_block(inner: Inner, style: str) -> None:
    """The block is no traceback: no line of the plugin's code is in it."""
    result = inner.run(LEAKING, f"--tb={style}")
    result.stdout.fnmatch_lines(
        [
            "*_ test_leaking _*",
            "LEAKED test_inner.py::test_leaking",
            "*ALIVE*",
            "LEAKED test_inner.py::test_leaking - 1 process outlived*",
        ]
    )
    result.stdout.no_fnmatch_line("*plugin.py*")


def test_no_traceback_leaves_the_summary_line(inner: Inner) -> None:
    result = inner.run(LEAKING, "--tb=no")
    result.stdout.fnmatch_lines(["LEAKED test_inner.py::test_leaking - 1 process *"])
    result.stdout.no_fnmatch_line("*ALIVE*")
    assert result.ret == 1


def test_one_line_tracebacks_name_the_test_s_own_file(inner: Inner) -> None:
    result = inner.run(LEAKING, "--tb=line")
    result.stdout.fnmatch_lines(["test_inner.py:4: 1 process outlived tmux server *"])
    result.stdout.no_fnmatch_line("*plugin.py*")


def test_without_a_terminal_reporter_the_status_is_1(inner: Inner) -> None:
    result = inner.run(LEAKING, "-p", "no:terminal")
    assert result.ret == 1
    assert result.outlines == []
    inner.assert_all_gone(1)


def test_junit_xml_names_the_leak(inner: Inner) -> None:
    inner.run(LEAKING, "--junitxml=report.xml")
    suite = ET.parse(inner.pytester.path / "report.xml").getroot()[0]
    entries = suite.findall("testcase[@name='test_leaking']/error")
    assert [entry.get("message", "")[:19] for entry in entries] == [
        "failed on teardown "
    ]
    assert "1 process outlived tmux server" in entries[0].get("message", "")
    assert "LEAKED test_inner.py::test_leaking" in (entries[0].text or "")
    assert suite.find("testcase[@name='test_clean']/*") is None


def test_own_failure_stays_first_and_visible(inner: Inner) -> None:
    result = inner.run(
        """
        def test_both(tmux_pane, leave):
            leave(tmux_pane)
            assert "its own" == "failure"
        """
    )
    result.stdout.fnmatch_lines(
        [
            "*_ test_both _*",
            "E *assert 'its own' == 'failure'*",
            "*_ test_both _*",
            "LEAKED test_inner.py::test_both",
            "FAILED test_inner.py::test_both - *its own*",
            "LEAKED test_inner.py::test_both - 1 process outlived*",
            "*= 2 failed in *",
        ]
    )
    inner.assert_all_gone(1)


BROKEN_FIXTURE = """
import pytest

@pytest.fixture
def broken(tmux_pane):
    yield
    raise RuntimeError("teardown of broken")

def test_both(broken, tmux_pane, leave):
    leave(tmux_pane)
"""


@pytest.mark.parametrize("capture", ["all", "no"])
def test_teardown_error_and_leak_are_both_shown(inner: Inner, capture: str) -> None:
    result = inner.run(BROKEN_FIXTURE, f"--show-capture={capture}")
    result.stdout.fnmatch_lines(
        [
            "E *RuntimeError: teardown of broken",
            "*tmux leak*",
            "LEAKED test_inner.py::test_both",
            "*ALIVE*",
            "LEAKED test_inner.py::test_both - 1 process outlived tmux server *, "
            "beside RuntimeError: teardown of broken",
            "*= 1 failed, 1 passed in *",
        ]
    )
    inner.assert_all_gone(1)


def test_set_up_error_and_leak_are_both_shown(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.fixture
        def broken(tmux_pane, leave):
            leave(tmux_pane)
            raise RuntimeError("set-up of broken")

        def test_both(broken):
            pass
        """
    )
    result.stdout.fnmatch_lines(
        [
            "E *RuntimeError: set-up of broken",
            "LEAKED test_inner.py::test_both - 1 process outlived*",
            "ERROR test_inner.py::test_both - RuntimeError: set-up of broken",
        ]
    )
    assert result.ret == 1


@pytest.mark.parametrize(
    ("statement", "outcome"),
    [
        ("pytest.skip('no')", "1 failed, 1 skipped"),
        ("pytest.xfail('no')", "1 failed, 1 xfailed"),
    ],
)
def test_skipped_or_xfailed_test_that_leaks_fails(
    inner: Inner, statement: str, outcome: str
) -> None:
    result = inner.run(
        f"""
        import pytest

        def test_ended_early(tmux_pane, leave):
            leave(tmux_pane)
            {statement}
        """
    )
    result.stdout.fnmatch_lines(
        ["LEAKED test_inner.py::test_ended_early - *", f"*{outcome}*"]
    )
    assert result.ret == 1


def test_xfail_marker_does_not_cover_a_leak(inner: Inner) -> None:
    """Not even where it covers another error of the same teardown."""
    inner.add_to_conftest(
        """
        def pytest_runtest_logreport(report):
            print(report.when, report.outcome, "wasxfail:", hasattr(report, "wasxfail"))
        """
    )
    result = inner.run(
        BROKEN_FIXTURE.replace("def test_both", "@pytest.mark.xfail\ndef test_both"),
        "-s",
    )
    result.stdout.fnmatch_lines(
        ["*teardown failed wasxfail: False", "LEAKED test_inner.py::test_both - *"]
    )
    assert result.ret == 1


def test_leak_is_blamed_on_its_parameters(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.mark.parametrize("leaks", [False, True, False])
        def test_one_of_three(tmux_pane, leave, leaks):
            if leaks:
                leave(tmux_pane)
        """
    )
    result.stdout.fnmatch_lines(
        ["LEAKED test_inner.py::test_one_of_three[[]True[]] - *"]
    )
    result.stdout.no_fnmatch_line("LEAKED*False*")
    result.stdout.fnmatch_lines(["*= 1 failed, 3 passed in *"])


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_run_stops_at_the_first_leak(inner: Inner, option: str) -> None:
    result = inner.run(TWO_LEAKING, option)
    result.stdout.fnmatch_lines(["*stopping after 1 failures*", "*1 failed, 1 passed*"])
    inner.assert_all_gone(1)


def test_run_goes_on_below_maxfail(inner: Inner) -> None:
    result = inner.run(TWO_LEAKING, "--maxfail=3", "-s")
    result.stdout.fnmatch_lines(["*THIRD RAN*", "*2 failed, 3 passed*"])
    inner.assert_all_gone(2)


def test_unittest_case_that_leaks_fails(inner: Inner) -> None:
    """By usefixtures, and by an autouse fixture of the class."""
    result = inner.run(
        """
        import unittest
        import pytest

        @pytest.mark.usefixtures("tmux_server")
        class Clean(unittest.TestCase):
            def test_clean(self):
                pass

        class Leaking(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _terminal(self, tmux_pane, leave):
                self.pane, self.leave = tmux_pane, leave

            def test_leaking(self):
                self.leave(self.pane)
        """
    )
    result.stdout.fnmatch_lines(["LEAKED test_inner.py::Leaking::test_leaking - 1 *"])
    result.assert_outcomes(passed=2, failed=1)
    inner.assert_all_gone(1)


def test_each_test_of_a_class_has_its_own_verdict(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.mark.tmux(size=(90, 20))
        @pytest.mark.usefixtures("tmux_pane")
        class TestTerminal:
            def test_leaking(self, tmux_pane, leave):
                leave(tmux_pane)

            def test_clean(self, tmux_server):
                assert len(tmux_server.sessions) == 1
        """
    )
    result.stdout.fnmatch_lines(["LEAKED test_inner.py::TestTerminal::test_leaking *"])
    result.assert_outcomes(passed=2, failed=1)


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_wider_scope_is_a_scope_mismatch(inner: Inner, scope: str) -> None:
    result = inner.run(
        f"""
        import pytest

        @pytest.fixture(scope={scope!r})
        def wide(tmux_server):
            return tmux_server

        def test_it(wide):
            pass
        """
    )
    result.stdout.fnmatch_lines([f"*ScopeMismatch*tmux_server*{scope} scope*"])
    result.assert_outcomes(errors=1)
    assert result.ret == 1


def test_setup_show_lists_the_fixtures(inner: Inner) -> None:
    result = inner.run(LEAKING, "--setup-show")
    result.stdout.fnmatch_lines(
        [
            "*SETUP    F tmux_pane (fixtures used: tmux_session)*",
            "*TEARDOWN F tmux_server*",
            "LEAKED test_inner.py::test_leaking - *",
        ]
    )


def test_two_servers_of_a_test_are_both_described(inner: Inner) -> None:
    result = inner.run(
        """
        def test_two(tmux_server_factory, leave):
            for server in (tmux_server_factory(), tmux_server_factory()):
                leave(server.new_session().pane)
        """
    )
    result.stdout.fnmatch_lines(
        [
            "1 process outlived tmux server *",
            "1 process outlived tmux server *",
            "LEAKED * - 1 process outlived tmux server *; 1 process outlived *",
        ]
    )
    inner.assert_all_gone(2)


def test_durations_and_reports_agree_on_one_failure(inner: Inner) -> None:
    """``-rA`` names the leaking test once as leaked, and as passed in its call."""
    result = inner.run(LEAKING, "-rA", "--durations=3")
    lines = [line for line in result.outlines if line.startswith(("LEAKED", "PASSED"))]
    assert [line.split(" - ")[0] for line in lines if "::" in line] == [
        "LEAKED test_inner.py::test_leaking",
        "PASSED test_inner.py::test_clean",
        "PASSED test_inner.py::test_leaking",
        "LEAKED test_inner.py::test_leaking",
    ]
