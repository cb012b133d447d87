"""Arguments of the public face: one that cannot be is refused by name, before all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_tmuxlife.errors import TmuxLifeError

# More than a day. What poll(2) takes is some 24 days, and a limit can be scaled.
LONGEST = 100_000


def text(name: str, value: object) -> str:
    """*value*, if it is text.

    Raises:
        TmuxLifeError: It is not; names the argument.
    """
    if not isinstance(value, str):
        raise refused(name, value, "text (a str)")
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    """*value*, if it is a list of texts.

    Raises:
        TmuxLifeError: It is one text, or no list, or holds what is no text.
    """
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if not is_list or not all(isinstance(one, str) for one in value):  # type: ignore[attr-defined]
        raise refused(name, value, "a list of texts")
    return tuple(value)  # type: ignore[arg-type]


def seconds(name: str, value: object, *, may_be_zero: bool = True) -> float:
    """*value*, if so many seconds can be waited.

    Args:
        name: Of the argument.
        value: What was given for it.
        may_be_zero: Nothing has to happen meanwhile: 0 is for one look.

    Raises:
        TmuxLifeError: It is no number (NaN is none), or out of range.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        is_enough = value >= 0 if may_be_zero else value > 0
        if is_enough and value <= LONGEST:
            return value
    least = "at least 0" if may_be_zero else "more than 0"
    raise refused(name, value, f"seconds, {least} and at most {LONGEST}")


def exit_status(name: str, value: object) -> None:
    """Nothing, if a program can exit with *value*.

    Raises:
        TmuxLifeError: It is no whole number from 0 to 255.
    """
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 255:  # type: ignore[operator]
        raise refused(name, value, "an exit status, 0 to 255")


def one_of(name: str, value: object, valid: Sequence[str]) -> None:
    """Nothing, if *value* is in *valid*.

    Raises:
        TmuxLifeError: It is not; names the valid ones.
    """
    if value not in valid:
        raise TmuxLifeError(
            f"{name} {value!r} is none of {', '.join(valid)}", argument=name
        )


def environment(value: object) -> dict[str, str]:
    """*value*, if a process can have it as its environment.

    Raises:
        TypeError: It is no mapping of names to texts.
        ValueError: No variable can have that name or value.
    """
    if not isinstance(value, Mapping):
        raise TypeError("expected a mapping of names to texts")
    for name, content in value.items():
        if not isinstance(name, str) or not isinstance(content, str):
            raise TypeError(f"{name!r}: names and values must be text")
        if not name or "=" in name or "\0" in name + content:
            raise ValueError(f"{name!r} cannot be a variable")
    return dict(value)


def refused(name: str, value: object, expected: str) -> TmuxLifeError:
    """The error for an argument that is not what it has to be."""
    return TmuxLifeError(f"{name} is {value!r}: must be {expected}", argument=name)
