"""What the outer process, the witness and the run's supervisor have in common.

Each is a fork of pytest that never returns into its code.
"""

from __future__ import annotations

import gc
import os
import posix
import signal
import traceback
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

ALL_SIGNALS = signal.valid_signals()
CRASHED = 3


def leave(code: int) -> NoReturn:
    """End this process, without what pytest has prepared for its own end."""
    # Not os._exit: coverage can replace that by one which writes its data.
    posix._exit(code)


def become(role: Callable[[], NoReturn], keep: set[int], *, speaks: bool) -> NoReturn:
    """Let go of what pytest has open, and run *role*; an error ends the process.

    Readers and writers at the other ends must see pytest alone.

    Args:
        role: What it does from now on.
        keep: Descriptors that it needs.
        speaks: It may write to standard error.
    """
    try:
        gc.freeze()
        gc.disable()
        _let_go(keep | {2} if speaks else keep)
        role()
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        leave(CRASHED)


def _let_go(keep: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in {0, 1, 2} - keep:
        os.dup2(null, number)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number not in keep:
            try:
                os.close(number)
            except OSError:
                # It was that of the listing.
                continue


def say(text: str) -> None:
    """Write to standard error what is for the user."""
    try:
        os.write(2, text.encode("utf-8", "backslashreplace"))
    except OSError:
        # The terminal is gone: there is nobody to tell.
        return
