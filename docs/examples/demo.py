"""Runs the example's two tests, shows what a user sees, and checks it.

    python docs/examples/demo.py

Exits with 0 only if the leak was caught, with every process and the log named
and ended, and the stop function that is right was not accused.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# As the report's second column has it.
_SURVIVOR = re.compile(r"(\S+) (\d+) +ALIVE ")


def run_pytest(test_file: str) -> tuple[int, str]:
    """Run one test file as a user would; print and return its output."""
    print(f"$ pytest {test_file}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", test_file],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
    )
    print(done.stdout, flush=True)
    return done.returncode, done.stdout


def survivors(report: str) -> dict[int, str]:
    """Names of the processes that the report marks as alive, by pid."""
    return {int(pid): name for name, pid in _SURVIVOR.findall(report)}


def problems_of_leaking(status: int, report: str) -> list[str]:
    """What is wrong with the report on the stop function that leaks."""
    problems = []
    if status != 1:
        problems.append(f"the leaking test ended with status {status} instead of 1")
    if "LEAKED test_orchestrator_leaks.py::test_stop_session" not in report:
        problems.append("the leaking test is not reported as LEAKED")
    named = sorted(survivors(report).values())
    if named != ["agent", "mcp_server", "mcp_server"]:
        problems.append(f"the agent and two helpers should be named, but: {named}")
    for what, pattern in (
        ("helper 'files'", r"mcp_server\.py files"),
        ("helper 'search'", r"mcp_server\.py search"),
        ("the log's descriptor", r"\dw \S*/output\.jsonl"),
        ("the hang-up that the agent ignores", r"agent \d+ .*ignores SIGHUP"),
        ("the Unix session of a helper", r"mcp_server \d+ .*setsid"),
    ):
        if not re.search(pattern, report):
            problems.append(f"{what} is not named")
    if report.count("listens on 127.0.0.1:") != 2:
        problems.append("the two addresses that the helpers listen on are not named")
    problems += [
        f"{name} {pid} is still alive after the run"
        for pid, name in survivors(report).items()
        if os.path.exists(f"/proc/{pid}")
    ]
    return problems


def problems_of_right(status: int, report: str) -> list[str]:
    """What is wrong with the report on the stop function that is right."""
    problems = []
    if status != 0:
        problems.append(f"the right stop function ended with status {status}")
    if "1 passed" not in report:
        problems.append("the test of the right stop function did not pass")
    if "LEAKED" in report or survivors(report):
        problems.append("the right stop function was accused")
    return problems


def main() -> int:
    status, report = run_pytest("test_orchestrator_leaks.py")
    problems = problems_of_leaking(status, report)
    named = ", ".join(f"{name} {pid}" for pid, name in survivors(report).items())
    problems += problems_of_right(*run_pytest("test_orchestrator.py"))
    for problem in problems:
        print(f"WRONG: {problem}")
    if problems:
        return 1
    print(f"leak caught: {named} and the log that it holds; all of them were ended.")
    print("right stop function: passed, and nothing was accused.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
