"""Unrelated processes on the host, as many as wanted.

    python -m bench.crowd NUMBER

Its children read from its own standard input, which nobody writes to: once
that is closed, by whatever end of whoever holds it, all of them exit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType


class Crowd:
    """So many unrelated processes; a context manager.

    Raises:
        OSError: The system allows no more processes.
    """

    def __init__(self, number: int) -> None:
        self._helper = subprocess.Popen(
            [sys.executable, "-m", "bench.crowd", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._helper.stdout is not None
        answer = self._helper.stdout.readline().strip()
        if answer != "ready":
            self._end()
            raise OSError(answer or "the helper ended")

    def __enter__(self) -> Crowd:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._helper.stdin is not None
        assert self._helper.stdout is not None
        self._helper.stdin.close()
        self._helper.wait()
        self._helper.stdout.close()


def main() -> None:
    number = int(sys.argv[1])
    answer = "ready"
    children: list[int] = []
    try:
        while len(children) < number:
            children.append(os.posix_spawn("/bin/cat", ["cat"], {}))
    except OSError as error:
        answer = f"only {len(children)} of {number} processes: {error}"
    print(answer, flush=True)
    for pid in children:
        os.waitpid(pid, 0)
    sys.stdin.read()


if __name__ == "__main__":
    main()
