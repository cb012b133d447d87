"""Options of servers, sessions and panes: one set of names, checked by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pytest_tmuxlife.arguments import LONGEST, environment
from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.terminal.programs.presets import as_program
from pytest_tmuxlife.terminal.programs.program import Program

_MAX_SIDE = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a server is started with, and its sessions and panes.

    Attributes:
        program: What runs in a pane; None for bash, else the first shell found.
        size: Columns and rows.
        cwd: Directory of the panes; None for pytest's.
        env: Variables added to the panes' environment.
        history_limit: Lines that a pane keeps.
        remain_on_exit: A pane stays when its program has ended.
        config: Path of a tmux.conf that is read after our own settings.
        timeout: Seconds for each wait and call that names none.
    """

    program: Program | None = None
    size: tuple[int, int] = (80, 24)
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    history_limit: int = 50_000
    remain_on_exit: bool = False
    config: str | None = None
    timeout: float = 10.0

    def updated(self, given: Mapping[str, Any], where: str) -> Options:
        """These options with those of *given*, each checked.

        ``env`` is added to what is there; all others take its place.

        Args:
            given: Options by name.
            where: Who gave them, for the message.

        Raises:
            TmuxLifeError: An unknown name, or a value that does not fit.
        """
        changes: dict[str, Any] = {}
        for name, value in given.items():
            check = _CHECKS.get(name)
            if check is None:
                raise _unknown(name, where)
            try:
                changes[name] = check(value)
            except (TypeError, ValueError) as error:
                raise TmuxLifeError(
                    f"{where}: {name}={value!r}: {error}", option=name, where=where
                ) from None
        if "env" in changes:
            changes["env"] = {**self.env, **changes["env"]}
        return replace(self, **changes)


def _unknown(name: str, where: str) -> TmuxLifeError:
    valid = sorted(_CHECKS)
    near = difflib.get_close_matches(name, valid, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return TmuxLifeError(
        f"{where}: unknown option {name!r}{hint} (valid: {', '.join(valid)})",
        option=name,
        where=where,
    )


def _program(value: object) -> Program | None:
    if value is None or isinstance(value, Program):
        return value
    if isinstance(value, str):
        return as_program(value)
    if isinstance(value, Sequence) and all(isinstance(word, str) for word in value):
        return as_program(value)
    raise TypeError(
        "expected a Program, the name of a preset, an argv list, or a shell line"
    )


def parse_size(value: object) -> tuple[int, int]:
    """Columns and rows, from a pair or from ``80x24``.

    Raises:
        ValueError: Neither, or a side out of 1 to 10000.
    """
    sides: Sequence[object] = ()
    if isinstance(value, str):
        sides = value.lower().split("x")
    elif isinstance(value, (tuple, list)):
        sides = value
    try:
        columns, rows = (int(str(side)) for side in sides)
    except ValueError:
        raise ValueError("expected COLUMNSxROWS, as 80x24 or (80, 24)") from None
    if not (1 <= columns <= _MAX_SIDE and 1 <= rows <= _MAX_SIDE):
        raise ValueError(f"each side must be from 1 to {_MAX_SIDE}")
    return columns, rows


def _directory(value: object) -> str | None:
    if value is None:
        return None
    path = os.path.abspath(os.fspath(value))  # type: ignore[call-overload]
    if not os.path.isdir(path):
        raise ValueError("no such directory")
    return str(path)


def _file(value: object) -> str | None:
    if value is None:
        return None
    path = os.path.abspath(os.fspath(value))  # type: ignore[call-overload]
    if not os.path.isfile(path):
        raise ValueError("no such file")
    return str(path)


def _positive_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("expected a whole number")
    if value < 0:
        raise ValueError("must not be negative")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected True or False")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("expected seconds")
    if not 0 < value <= LONGEST:
        raise ValueError(f"must be more than 0 seconds, and at most {LONGEST}")
    return float(value)


_CHECKS = {
    "program": _program,
    "size": parse_size,
    "cwd": _directory,
    "env": environment,
    "history_limit": _positive_int,
    "remain_on_exit": _flag,
    "config": _file,
    "timeout": _seconds,
}
assert set(_CHECKS) == {option.name for option in fields(Options)}
