"""A `Settings` from option, environment and ini, each value with blame."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_tmuxlife.arguments import LONGEST
from pytest_tmuxlife.containment.layers import SWITCHED, parse_without
from pytest_tmuxlife.leaks.rules import IgnoreRule, parse_rule
from pytest_tmuxlife.run_settings import Settings
from pytest_tmuxlife.terminal.programs.presets import PRESETS
from pytest_tmuxlife.terminal.start.options import parse_size

if TYPE_CHECKING:
    from pytest_tmuxlife.terminal.programs.program import Program

_Value = TypeVar("_Value")
ENGINES = ("native", "process")
LEVELS = ("off", "warn", "fail")
_ON_OFF = ("on", "off")
_LEAK_CHECK = "--tmux-leak-check"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is declared.

    Attributes:
        name: Of the ini value.
        default: As it would be written in the ini file.
        help: One line.
        parse: Text to value; raises ValueError with what is valid.
        option: The command-line option that sets it too, or "".
        lines: It is a list of lines.
    """

    name: str
    default: str
    help: str
    parse: Callable[[str], Any]
    option: str = ""
    lines: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it too."""
        return "TMUXLIFE_" + self.name.removeprefix("tmux_").upper()


def _seconds(text: str) -> float:
    valid = f"seconds, 0 or more and at most {LONGEST}"
    return _number(text, valid, lambda value: 0 <= value <= LONGEST)


def _positive_seconds(text: str) -> float:
    valid = f"seconds, more than 0 and at most {LONGEST}"
    return _number(text, valid, lambda value: 0 < value <= LONGEST)


def _factor(text: str) -> float:
    return _number(text, "a factor, more than 0", lambda value: value > 0)


def _number(text: str, valid: str, check: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"expected {valid}") from None
    if not check(value) or value == float("inf"):
        raise ValueError(f"expected {valid}")
    return value


def _engine(text: str) -> str:
    if text not in ENGINES:
        raise ValueError(f"expected one of {', '.join(ENGINES)}")
    return text


def _on_off(text: str) -> bool:
    if text not in _ON_OFF:
        raise ValueError(f"expected one of {', '.join(_ON_OFF)}")
    return text == "on"


def leak_level(text: str) -> str:
    """One of `LEVELS`.

    Raises:
        ValueError: It is none; says what is valid.
    """
    if text not in LEVELS:
        raise ValueError(f"expected one of {', '.join(LEVELS)}")
    return text


def _level(text: str) -> str | None:
    return leak_level(text) if text else None


def _program(text: str) -> Program | None:
    if text == "":
        return None
    if text not in PRESETS:
        raise ValueError(f"expected one of {', '.join(PRESETS)}")
    return PRESETS[text]


def _ignore_rules(text: str) -> tuple[IgnoreRule, ...]:
    lines = (line.strip() for line in text.splitlines())
    return tuple(parse_rule(line, "tmux_leak_ignore") for line in lines if line)


SETTINGS = (
    Setting(
        "tmux_leak_grace",
        "2.5",
        "seconds in which processes on their way out may go before they are leaks",
        _seconds,
    ),
    Setting(
        "tmux_kill_grace",
        "0.5",
        "seconds between TERM and KILL for what leaked",
        _seconds,
    ),
    Setting(
        "tmux_timeout",
        "10",
        "seconds for each wait and tmux call that names none",
        _positive_seconds,
    ),
    Setting(
        "tmux_timeout_scale",
        "1",
        "multiplies every time limit of waits and calls, for slow machines",
        _factor,
    ),
    Setting(
        "tmux_program",
        "",
        f"what runs in a pane: {', '.join(PRESETS)} (default: bash, else the first "
        "shell found)",
        _program,
    ),
    Setting("tmux_size", "80x24", "size of a pane: COLUMNSxROWS", parse_size),
    Setting(
        "tmux_engine",
        "native",
        "how to talk to tmux: native (its socket protocol) or process (tmux clients)",
        _engine,
    ),
    Setting(
        "tmux_without",
        "",
        "ways of holding processes to do without, for a diagnosis: "
        f"{', '.join(SWITCHED)}",
        parse_without,
    ),
    Setting(
        "tmux_spare",
        "on",
        "start the next test's tmux server while a test runs: on, off",
        _on_off,
    ),
    Setting("tmux_bin", "tmux", "the tmux program, by name or path", str, "--tmux-bin"),
)
IGNORE = Setting(
    "tmux_leak_ignore",
    "",
    "lines: a regular expression, searched in the command line of what outlived a "
    "test or in the target of a descriptor, then ' # ' and the reason why it may",
    _ignore_rules,
    lines=True,
)
LEAK_CHECK = Setting(
    "tmux_leak_check",
    "",
    "check every test and the end of the run: off, warn or fail (the bare option "
    "means fail)",
    _level,
    _LEAK_CHECK,
)
ALL_SETTINGS = (*SETTINGS, LEAK_CHECK, IGNORE)


class _SetLevel(argparse.Action):
    """The option as it was spelt: bare, or with a level behind ``=``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        _, _, level = (option_string or "").partition("=")
        setattr(namespace, self.dest, level or "fail")


def add_options(parser: pytest.Parser) -> None:
    """Declare options and ini values."""
    group = parser.getgroup("tmux", "tmux servers held by pytest-tmuxlife")
    group.addoption(
        "--tmux-required",
        action="store_true",
        help="stop the run if tmux is missing or too old, instead of skipping",
    )
    group.addoption(
        "--tmux-snapshot-update",
        action="store_true",
        help="store the screens that tests compare with snapshots",
    )
    group.addoption(
        "--tmux-leak-report",
        metavar="FILE",
        default=None,
        help="write what was left, and by which test, to a JSON file",
    )
    for setting in ALL_SETTINGS:
        help_text = f"{setting.help} [{setting.variable}]"
        if setting.lines:
            parser.addini(setting.name, help_text, type="linelist", default=[])
        else:
            parser.addini(setting.name, help_text, type="string", default="")
        if setting is LEAK_CHECK:
            # nargs="?" would take the path that follows for a level. Each
            # spelling is an option without a value, so nothing follows.
            group.addoption(
                _LEAK_CHECK,
                *(f"{_LEAK_CHECK}={level}" for level in LEVELS),
                action=_SetLevel,
                nargs=0,
                dest=setting.name,
                default=None,
                help=setting.help,
            )
        elif setting.option:
            group.addoption(
                setting.option, metavar="VALUE", default=None, help=setting.help
            )


def load(config: pytest.Config, environ: Mapping[str, str] | None = None) -> Settings:
    """Resolve every setting: option before environment before ini.

    Raises:
        pytest.UsageError: A bad value; names its source and what is valid.
    """
    environ = os.environ if environ is None else environ
    values = {
        setting.name: _resolve(setting, config, environ) for setting in ALL_SETTINGS
    }
    asked = values["tmux_bin"]
    return Settings(
        leak_grace=values["tmux_leak_grace"],
        kill_grace=values["tmux_kill_grace"],
        timeout=values["tmux_timeout"],
        timeout_scale=values["tmux_timeout_scale"],
        program=values["tmux_program"],
        size=values["tmux_size"],
        engine=values["tmux_engine"],
        tmux=_absolute(shutil.which(asked)),
        tmux_asked=asked,
        required=bool(config.getoption("tmux_required")),
        ignore=values["tmux_leak_ignore"],
        leak_check=values["tmux_leak_check"],
        without=values["tmux_without"],
        spare=values["tmux_spare"],
    )


def early_leak_check(early_config: pytest.Config) -> str | None:
    """`Settings.leak_check` before the options are fully parsed.

    Raises:
        pytest.UsageError: A bad value; names its source and what is valid.
    """
    given = getattr(early_config.known_args_namespace, LEAK_CHECK.name, None)
    level: str | None = _choose(LEAK_CHECK, given, early_config, os.environ)
    return level


def _absolute(path: str | None) -> str | None:
    return os.path.abspath(path) if path else None


def _resolve(
    setting: Setting, config: pytest.Config, environ: Mapping[str, str]
) -> Any:
    given = config.getoption(setting.option) if setting.option else None
    return _choose(setting, given, config, environ)


def _choose(
    setting: Setting, given: Any, config: pytest.Config, environ: Mapping[str, str]
) -> Any:
    sources = [(setting.option, given)]
    sources.append((f"environment {setting.variable}", environ.get(setting.variable)))
    ini = config.getini(setting.name)
    sources.append((f"ini {setting.name}", "\n".join(ini) if setting.lines else ini))
    for source, text in sources:
        if not text:
            continue
        try:
            return setting.parse(str(text).strip())
        except ValueError as error:
            # Of several lines, the error itself names the bad one.
            value = "" if setting.lines else f"={text!r}"
            raise pytest.UsageError(f"{source}{value}: {error}") from None
    return setting.parse(setting.default)
