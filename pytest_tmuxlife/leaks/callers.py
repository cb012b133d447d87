"""Who called: the code that an event of this process is put down to."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
import weakref
from types import FrameType
from typing import NamedTuple

_FRAMES = 80
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")}
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Place(NamedTuple):
    """Who called what opened something.

    Attributes:
        path: Of the source file.
        line: Of the call.
        function: Name of the function that holds it.
        is_import: A module was being imported.
        is_plugin: A plugin's hook did it, with no code of the user's between.
    """

    path: str
    line: int
    function: str
    is_import: bool = False
    is_plugin: bool = False

    def shown(self, root: str) -> str:
        """``FILE:LINE FUNCTION()``, the file relative to *root* if below it."""
        path = self.path
        if path.startswith(root + os.sep):
            path = path[len(root) + 1 :]
        called = (
            self.function if self.function.startswith("<") else f"{self.function}()"
        )
        return f"{path}:{self.line} {called}"


# What `caller` finds: the place, the thread unless it is the main one, its name.
Caller = tuple[Place | None, "weakref.ref[threading.Thread] | None", str]

_kinds: dict[str, str] = {}
# The nearest of the highest rank is the place.
_RANKS = {"user": 2, "installed": 1}
# Whoever called what is above these frames.
_ENDS = ("runner", "hooks")


def _kind_of(path: str) -> str:
    """Whose code a source file is: ours, the runner's, a library's, the user's."""
    kind = _kinds.get(path)
    if kind is None:
        kind = _kinds[path] = _classify(path)
    return kind


def _classify(path: str) -> str:
    if path.startswith("<frozen importlib"):
        return "import"
    if f"{os.sep}pluggy{os.sep}" in path:
        return "hooks"
    if f"{os.sep}_pytest{os.sep}" in path:
        return "runner"
    if path.startswith(PACKAGE):
        return "ours"
    if path.startswith("<frozen"):
        return "standard"
    if any(part in path for part in _INSTALLED):
        return "installed"
    return "standard" if path.startswith(_STANDARD) else "user"


def caller() -> Caller | None:
    """The nearest code of the user's, else of a library; and the thread.

    For the audit hook, which calls it. None for what is opened for us.
    """
    nearest: FrameType | None = None
    nearest_rank = 0
    is_import = is_plugin = False
    below = frame = sys._getframe(2)
    kinds = _kinds
    # One loop without calls: it runs for every file that is opened.
    for _ in range(_FRAMES):
        path = frame.f_code.co_filename
        kind = kinds.get(path) or _kind_of(path)
        rank = _RANKS.get(kind, 0)
        if rank > nearest_rank:
            nearest, nearest_rank = frame, rank
        elif kind == "import":
            is_import = is_import or below.f_code.co_name == "<module>"
        elif kind == "ours" and nearest is None:
            return None
        elif kind in _ENDS:
            is_plugin = kind == "hooks" and nearest_rank < _RANKS["user"]
            break
        if frame.f_back is None:
            break
        below, frame = frame, frame.f_back
    if nearest is None:
        place = Place("", 0, "", is_import, is_plugin)
        return (place if is_import or is_plugin else None, *_thread_now())
    code = nearest.f_code
    place = Place(
        code.co_filename, nearest.f_lineno, code.co_name, is_import, is_plugin
    )
    return place, *_thread_now()


def _thread_now() -> tuple[weakref.ref[threading.Thread] | None, str]:
    # Not current_thread(): that would make an object for a foreign thread.
    thread = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]
    if thread is None or thread is threading.main_thread():
        return None, ""
    return weakref.ref(thread), thread.name
