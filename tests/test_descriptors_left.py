"""What a test leaves open in the pytest process; the kinds are in a table of theirs."""

from __future__ import annotations

import pytest
from inner import Inner

CHECKED = ("-o", "tmux_leak_check=fail")


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


def test_number_that_was_used_again_is_reported(inner: Inner) -> None:
    """The descriptor is another file, though its number was there before."""
    result = inner.run(
        """
        import os

        before = os.open("/dev/null", os.O_RDONLY)

        def test_swap(tmp_path):
            os.close(before)
            assert os.open(tmp_path, os.O_RDONLY) == before
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["descriptor *r directory *still open *"])


def test_failing_test_does_not_leak_what_its_traceback_holds(inner: Inner) -> None:
    """It is closed once pytest lets the traceback go."""
    result = inner.run(
        """
        def test_fails():
            file = open("/dev/null")
            assert file.closed

        def test_passes():
            pass
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*LEAKED*")


def test_like_file_opened_by_a_function_of_a_module_is_reported(inner: Inner) -> None:
    """What is exempt is the import itself, not the module."""
    (inner.pytester.path / "lazy.py").write_text(
        "def log():\n    global LOG\n    LOG = open('/dev/null')\n"
    )
    result = inner.run(
        """
        def test_it():
            import lazy
            lazy.log()
        """,
        *CHECKED,
    )
    result.stdout.fnmatch_lines(["descriptor *r device /dev/null *lazy.py:3 log()"])


@pytest.mark.parametrize(
    ("opens", "outcomes"),
    [
        ("libc.open(library, os.O_RDONLY)", {"passed": 1}),
        ("libc.open(b'/etc/passwd', os.O_RDONLY)", {"passed": 1, "failed": 1}),
        ("os.open(library, os.O_RDONLY)", {"passed": 1, "failed": 1}),
    ],
    ids=["as libffi does", "another file", "by Python"],
)
def test_library_that_keeps_its_own_file_open_is_no_leak(
    inner: Inner, opens: str, outcomes: dict[str, int]
) -> None:
    """Its code is loaded for good, and no Python code has opened it."""
    result = inner.run(
        f"""
        import ctypes, os

        libc = ctypes.CDLL(None)
        with open("/proc/self/maps", "rb") as maps:
            library = next(row.split()[5] for row in maps if b"/libc.so" in row)

        def test_it():
            assert {opens} > 2
        """,
        *CHECKED,
    )
    result.assert_outcomes(**outcomes)


def test_thread_that_opened_it_is_named(inner: Inner) -> None:
    """It is the test's own: it was started in it, and has ended since."""
    result = inner.run(
        """
        import threading

        kept = []

        def work():
            kept.append(open("/dev/null"))

        def test_it():
            thread = threading.Thread(target=work, name="indexer")
            thread.start()
            thread.join()
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "LEAKED test_inner.py::test_it",
            "*",
            "descriptor *opened by thread indexer  opened in test_inner.py:6 work()",
        ]
    )
