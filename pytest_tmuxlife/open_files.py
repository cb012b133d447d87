"""Trouble with this process's own descriptors, said so that one can act on it."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pytest_tmuxlife.errors import TmuxLifeError

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def explained(
    function: Callable[_Arguments, _Result],
) -> Callable[_Arguments, _Result]:
    """*function*, which says what a closed descriptor, or too many of them, means.

    It raises TmuxLifeError in place of an OSError with EBADF, EMFILE or ENFILE, which
    is its cause.
    """

    @wraps(function)
    def carry_out(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            reason = _reason(error)
            if reason is None:
                raise
            raise TmuxLifeError(reason, errno=error.errno) from error

    return carry_out


def _reason(error: OSError) -> str | None:
    if error.errno == errno.EBADF:
        return (
            "somebody else has closed descriptors of pytest-tmuxlife in this process "
            "(os.closerange, a function that makes a daemon?); the tmux servers of the "
            "run end with them. Run such code in a child process: subprocess, or "
            "multiprocessing with spawn"
        )
    if error.errno == errno.EMFILE:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"no descriptor is left: this process may have {soft} open files (ulimit "
            f"-n; at most {hard}), and {_number_open()} were open. A tmux server with "
            "a pane takes four: raise the limit, or close what the tests open"
        )
    if error.errno == errno.ENFILE:
        return "no descriptor is left on this machine (fs.file-max)"
    return None


def _number_open() -> str:
    try:
        return str(len(os.listdir("/proc/self/fd")))
    except OSError:
        # To count them takes one.
        return "all of them"
