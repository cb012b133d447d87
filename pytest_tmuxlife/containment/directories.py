"""Where our directories stand, and whether a socket's path fits.

A socket address holds 107 bytes on Linux and 103 on macOS, and pytest's
tmp_path is often longer, so servers live under the shortest root that is
safe: a directory of mode 0700 that is ours, in one where nobody else could
have made it or can replace it.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterable

from pytest_tmuxlife.errors import SocketPathTooLong, TmuxLifeError

SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107


def check_socket_path(path: str) -> str:
    """Return *path*, or say by how much it is too long.

    Raises:
        SocketPathTooLong: Its bytes and the closing NUL do not fit.

    Source: unix(7), sun_path is 108 bytes.
    """
    excess = len(os.fsencode(path)) - SOCKET_PATH_LIMIT
    if excess > 0:
        raise SocketPathTooLong(
            f"socket path is {excess} bytes too long (limit "
            f"{SOCKET_PATH_LIMIT}): {path}; use a shorter directory",
            path=path,
            limit=SOCKET_PATH_LIMIT,
            excess=excess,
        )
    return path


def socket_in(directory: str) -> str:
    """Where a bare tmux puts its socket with TMUX_TMPDIR at *directory*.

    Source: tmux(1), TMUX_TMPDIR.
    """
    return f"{directory}/tmux-{os.geteuid()}/default"


def why_unsafe_parent(parent: str) -> str | None:
    """Why nothing of ours may stand in *parent*; None if it may."""
    try:
        found = os.stat(parent)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(found.st_mode):
        return "not a directory"
    if found.st_uid not in (0, os.geteuid()):
        return "belongs to another user"
    if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        return "others can replace what is in it (no sticky bit)"
    if not os.access(parent, os.W_OK | os.X_OK):
        return "not writable"
    return None


def why_unsafe_root(root: str) -> str | None:
    """Why *root*, made by us or yet to be made, cannot be used."""
    try:
        found = os.lstat(root)
    except FileNotFoundError:
        return why_unsafe_parent(os.path.dirname(root))
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(found.st_mode):
        return "is there and not a directory"
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if found.st_mode & 0o777 != 0o700:
        return f"has mode {stat.S_IMODE(found.st_mode):04o}, not 0700"
    return why_unsafe_parent(os.path.dirname(root))


def parents() -> list[str]:
    """Directories that could hold our root, in the order they are tried."""
    candidates = ["/tmp", os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR")]
    return [os.path.realpath(path) for path in candidates if path]


def roots(candidates: Iterable[str] | None = None) -> list[str]:
    """The roots that a run of this user may have used."""
    places = parents() if candidates is None else candidates
    return [os.path.join(place, f"tmuxlife-{os.geteuid()}") for place in places]


def choose_run_directory(candidates: Iterable[str] | None = None) -> str:
    """A path for this run's directory, not made yet.

    Args:
        candidates: Directories to try instead of those of `parents`.

    Raises:
        SocketPathTooLong: A root was safe, but no path under it would fit.
        TmuxLifeError: No root was safe; says why for each.
    """
    refused = []
    too_long: SocketPathTooLong | None = None
    for root in roots(candidates):
        reason = why_unsafe_root(root)
        if reason is not None:
            refused.append(f"{root}: {reason}")
            continue
        run = f"{root}/{secrets.token_hex(4)}"
        try:
            check_socket_path(socket_in(f"{run}/99999"))
        except SocketPathTooLong as error:
            too_long = too_long or error
            continue
        return run
    if too_long is not None:
        raise too_long
    raise TmuxLifeError(
        "no safe directory for tmux sockets; tried " + "; ".join(refused),
        refused=refused,
    )
