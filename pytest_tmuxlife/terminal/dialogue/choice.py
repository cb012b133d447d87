"""Which of several patterns comes first, as pexpect's ``expect`` decides it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from pytest_tmuxlife.errors import TmuxLifeError


class Choice:
    """Several things to wait for.

    Args:
        patterns: Texts, compiled patterns, ``pexpect.EOF``, ``pexpect.TIMEOUT``.

    Attributes:
        at_end: Index of the first ``pexpect.EOF``, None without one.
        at_timeout: Index of the first ``pexpect.TIMEOUT``, None without one.

    Raises:
        TmuxLifeError: None at all, or something else among them.
    """

    def __init__(self, patterns: Sequence[object]) -> None:
        if isinstance(patterns, (str, re.Pattern)) or not patterns:
            raise TmuxLifeError(
                f"wait_for_any takes a list of patterns, not {patterns!r}"
            )
        self.at_end: int | None = None
        self.at_timeout: int | None = None
        self._patterns: list[tuple[int, re.Pattern[str]]] = []
        self._shown: list[str] = []
        # Whoever has one of its classes has imported it.
        pexpect = sys.modules.get("pexpect")
        for index, pattern in enumerate(patterns):
            if isinstance(pattern, str):
                self._add(index, re.compile(re.escape(pattern)), repr(pattern))
            elif isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
                self._add(index, pattern, repr(pattern.pattern))
            elif pexpect is not None and pattern is pexpect.EOF:
                self.at_end = index if self.at_end is None else self.at_end
                self._shown.append("EOF")
            elif pexpect is not None and pattern is pexpect.TIMEOUT:
                self.at_timeout = index if self.at_timeout is None else self.at_timeout
                self._shown.append("TIMEOUT")
            else:
                raise TmuxLifeError(
                    f"pattern {index} is {pattern!r}; expected text, a compiled "
                    "pattern of text, pexpect.EOF or pexpect.TIMEOUT"
                )

    def _add(self, index: int, pattern: re.Pattern[str], shown: str) -> None:
        self._patterns.append((index, pattern))
        self._shown.append(shown)

    def __str__(self) -> str:
        return ", ".join(self._shown)

    def first_in(self, text: str) -> int | None:
        """Index of the pattern that matches nearest to the beginning.

        Of several that match at one place the first in the list.
        """
        places = [
            (match.start(), index)
            for index, pattern in self._patterns
            if (match := pattern.search(text))
        ]
        return min(places)[1] if places else None
