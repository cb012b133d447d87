"""What wider fixtures, and the run, leave in the pytest process."""

from __future__ import annotations

import pytest
from inner import Inner

CHECKED = ("-o", "tmux_leak_check=fail")


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    return Inner(pytester, monkeypatch)


SCOPES = ("class", "module", "package", "session")


@pytest.mark.parametrize("scope", SCOPES)
def test_fixture_that_leaks_is_named_itself(inner: Inner, scope: str) -> None:
    """Not the test that it was set up for, nor the last one that used it."""
    result = inner.run(
        f"""
        import os
        import pytest

        @pytest.fixture(scope="{scope}")
        def log(tmp_path_factory):
            os.open("/dev/null", os.O_RDONLY)
            return 1

        def test_first(log): pass
        def test_last(log): pass
        """,
        *CHECKED,
    )
    copies = 2 if scope == "class" else 1
    result.assert_outcomes(passed=2, failed=copies)
    result.stdout.fnmatch_lines(
        [
            f"LEAKED fixture log ({scope}, test_inner.py:4)",
            "1 descriptor outlived the fixture",
            "descriptor *opened in test_inner.py:6 log()",
        ]
    )
    result.stdout.no_fnmatch_line("LEAKED *::test_*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("scope", SCOPES)
def test_fixture_that_closes_accuses_nobody(inner: Inner, scope: str) -> None:
    """Logs, daemons, event loops, pools: opened for a test, closed at the end."""
    result = inner.run(
        f"""
        import asyncio, logging, multiprocessing, os, socket, subprocess, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest

        @pytest.fixture(scope="{scope}")
        def log(tmp_path_factory):
            handler = logging.FileHandler(tmp_path_factory.getbasetemp() / "log")
            yield handler
            handler.close()

        @pytest.fixture(scope="{scope}")
        def daemon():
            with subprocess.Popen(["sleep", "1000"]) as process:
                yield process
                process.kill()

        @pytest.fixture(scope="{scope}")
        def loop():
            loop = asyncio.new_event_loop()
            yield loop
            loop.close()

        @pytest.fixture(scope="{scope}")
        def threads():
            with ThreadPoolExecutor(2) as pool:
                yield pool

        @pytest.fixture(scope="{scope}")
        def workers():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                yield pool
                pool.close()
                pool.join()

        def test_first(log, daemon, loop, threads, workers): pass
        def test_last(log, daemon, loop, threads, workers): pass
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=2)


def test_what_an_object_of_a_fixture_opens_later_is_the_fixtures(inner: Inner) -> None:
    """A test makes it open its file, its process or its thread; it is no leak."""
    result = inner.run(
        """
        import os, subprocess, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest

        class Client:
            def connect(self):
                self.log = open("/dev/null")
                self.helper = subprocess.Popen(["sleep", "1000"])

            def close(self):
                self.log.close()
                self.helper.kill()
                self.helper.wait()

        @pytest.fixture(scope="session")
        def client():
            client = Client()
            yield client
            client.close()

        @pytest.fixture(scope="session")
        def threads():
            kept = []
            with ThreadPoolExecutor(1) as pool:
                yield lambda: pool.submit(lambda: kept.append(open("/dev/zero")))
            kept[0].close()

        def test_connects(client, threads):
            client.connect()
            threads().result()

        def test_uses(client): pass
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=2)


def test_what_it_opened_later_and_never_closes_is_reported(inner: Inner) -> None:
    """When its scope ends, under its name."""
    result = inner.run(
        """
        import pytest

        class Client:
            pass

        KEPT = Client()

        @pytest.fixture(scope="session")
        def client():
            return KEPT

        def test_connects(client):
            client.log = open("/dev/null")
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "LEAKED fixture client (session, test_inner.py:8)",
            "descriptor *opened in test_inner.py:13 test_connects()",
        ]
    )


def test_fixture_may_close_what_was_opened_for_another(inner: Inner) -> None:
    """A pool outlives the fixture that made it connect."""
    result = inner.run(
        """
        import pytest

        @pytest.fixture(scope="session")
        def pool():
            pool = []
            yield pool
            pool[0].close()

        @pytest.fixture(scope="module")
        def data(pool):
            pool.append(open("/dev/null"))
            yield 1

        def test_it(data): pass
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1)


def test_what_a_teardown_leaves_is_the_fixtures(inner: Inner) -> None:
    result = inner.run(
        """
        import os
        import pytest

        @pytest.fixture(scope="module")
        def late():
            yield
            os.open("/dev/null", os.O_RDONLY)

        def test_it(late): pass
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["LEAKED fixture late (module, test_inner.py:4)"])


@pytest.mark.parametrize(
    ("source", "owner"),
    [
        ("def setup_module(): {opens}", "setup_module (module, test_inner.py)"),
        (
            "class TestIt:\n    @classmethod\n    def setup_class(cls): {opens}\n"
            "    def test_in_class(self): pass",
            "setup_class (class, test_inner.py::TestIt)",
        ),
    ],
)
def test_set_up_functions_are_named(inner: Inner, source: str, owner: str) -> None:
    opens = "os.open('/dev/null', os.O_RDONLY)"
    body = source.format(opens=opens)
    result = inner.run(f"import os\n{body}\ndef test_it(): pass\n", *CHECKED)
    result.stdout.fnmatch_lines([f"LEAKED {owner}"])
    result.stdout.no_fnmatch_line("LEAKED *::test_*")


def test_what_was_open_before_the_first_test_is_nobodys(inner: Inner) -> None:
    """Opened by the conftest, and while the tests were collected."""
    inner.add_to_conftest("KEPT = open('/dev/null')")
    result = inner.run(
        """
        KEPT = open("/dev/zero")
        def test_it(): pass
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1)


def test_what_belongs_to_no_test_is_reported_for_the_run(inner: Inner) -> None:
    """A thread of the conftest's opens it while a test runs."""
    inner.add_to_conftest(
        """
        import threading

        GO, DONE, KEPT = threading.Event(), threading.Event(), []

        def work():
            GO.wait()
            KEPT.append(open("/dev/null"))
            DONE.set()

        threading.Thread(target=work, daemon=True, name="watcher").start()
        """
    )
    result = inner.run(
        """
        import conftest

        def test_it():
            conftest.GO.set()
            conftest.DONE.wait()
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["LEAKED the run", "descriptor *opened by thread watcher*conftest.py:*work()"]
    )


def test_leak_of_a_worker_and_its_fixtures_reaches_the_controller(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Inner(pytester, monkeypatch, autoload=True)
    result = inner.run(
        """
        import os
        import pytest

        @pytest.fixture(scope="session")
        def log():
            return os.open("/dev/null", os.O_RDONLY)

        def test_clean(log): pass
        def test_leaks(): os.open("/dev/zero", os.O_RDONLY)
        """,
        *CHECKED,
        "-n2",
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "LEAKED test_inner.py::test_leaks - 1 descriptor outlived the test",
            "LEAKED fixture log (session, *) - 1 descriptor outlived the fixture",
        ]
    )


def test_run_inside_a_test_keeps_its_own_accounts(inner: Inner) -> None:
    """Neither is accused of the other's, and one audit hook serves both."""
    inner.add_to_conftest('pytest_plugins = ["pytester"]')
    result = inner.run(
        """
        import os, sys

        SOURCE = '''
        import os
        def test_leaks():
            with open("number", "w") as file:
                file.write(str(os.open("/dev/null", os.O_RDONLY)))
        def test_clean(tmux_pane): tmux_pane.run("true")
        '''

        def test_outer(pytester):
            pytester.makepyfile(SOURCE)
            result = pytester.runpytest_inprocess(
                "-p", "no:cacheprovider", "-p", "pytest_tmuxlife.plugin",
                "--tmux-leak-check",
            )
            result.assert_outcomes(passed=2, failed=1)
            result.stdout.fnmatch_lines(["*opened in *test_outer.py:4 test_leaks()"])
            os.close(int((pytester.path / "number").read_text()))

        def test_leaks_too():
            os.open("/dev/zero", os.O_RDONLY)
        """,
        *CHECKED,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["LEAKED test_inner.py::test_leaks_too", "*test_inner.py:* test_leaks_too()"]
    )
