"""A small agent: two helper servers, a log, and a terminal to talk to it.

Like the long-lived agents that it stands for, it ignores the hang-up of its
terminal and goes on working; SIGTERM is how to end it. It then ends its
helpers, waits for them, and exits.

    python agent.py WORKSPACE
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

HELPER = Path(__file__).with_name("mcp_server.py")


class LogWriter(threading.Thread):
    """Appends events to a file, one JSON object a line, and keeps it open."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._file = path.open("a", encoding="utf-8")
        self._events: queue.SimpleQueue[dict[str, object] | None] = queue.SimpleQueue()

    def note(self, event: str, **facts: object) -> None:
        self._events.put({"at": time.time(), "event": event, **facts})

    def run(self) -> None:
        while (event := self._events.get()) is not None:
            self._file.write(json.dumps(event) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._events.put(None)
        self.join()
        self._file.close()


class Helper:
    """A server of the agent's own, reachable on a port of the loopback."""

    def __init__(self, name: str, *, own_session: bool = False) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(HELPER), name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=own_session,
        )
        assert self.process.stdout is not None
        # It prints its address once it listens.
        self.address = self.process.stdout.readline().strip()
        self.process.stdout.close()

    def ask(self, task: str) -> str:
        request = urllib.request.Request(self.address, task.encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def work(helpers: list[Helper], log: LogWriter) -> None:
    """Answer the tasks that are typed, until the terminal is gone."""
    try:
        for line in sys.stdin:
            task = line.strip()
            if task:
                log.note("task", text=task)
                for helper in helpers:
                    print(f"{helper.name}: {helper.ask(task)}", flush=True)
    except OSError as hangup:
        log.note("terminal lost", error=str(hangup))


def main() -> None:
    workspace = Path(sys.argv[1]).resolve()
    os.chdir(workspace)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Blocked in every thread, so that the wait below is what takes it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    log = LogWriter(workspace / "output.jsonl")
    log.start()
    helpers = [Helper("files"), Helper("search", own_session=True)]
    state = {"pid": os.getpid(), "helpers": [h.process.pid for h in helpers]}
    (workspace / "agent.json").write_text(json.dumps(state), encoding="utf-8")
    log.note("started", **state)

    threading.Thread(target=work, args=(helpers, log), daemon=True).start()
    print(f"agent ready: {len(helpers)} helpers, log output.jsonl", flush=True)

    signal.sigwait({signal.SIGTERM})
    for helper in helpers:
        helper.stop()
    (workspace / "agent.json").unlink()
    log.note("stopped")
    log.close()


if __name__ == "__main__":
    main()
