"""Directories of ours, the small files in them that outlive a crash, and others.

Runs in the helpers too.
"""

from __future__ import annotations

import errno
import os

_REMOVE_ATTEMPTS = 10


def remove_tree(path: str, last: str = "") -> None:
    """Remove a directory of ours with all in it; it may be gone already.

    Links are removed, not followed. Two may do it at the same time.

    Args:
        path: Of the directory.
        last: Name of what goes when nothing else is in it any more.

    Raises:
        OSError: Somebody else's file is in it, or files keep appearing.
    """
    for attempt in range(_REMOVE_ATTEMPTS):
        try:
            entries = list(os.scandir(path))
        except FileNotFoundError:
            return
        for entry in sorted(entries, key=lambda entry: entry.name == last):
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
            else:
                unlink_if_there(entry.path)
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or attempt == _REMOVE_ATTEMPTS - 1:
                raise
        else:
            return


def remove_run_if_done(run: str) -> None:
    """Remove a run's directory unless one of its servers still has its own."""
    try:
        servers = [name for name in os.listdir(run) if name.isdigit()]
    except FileNotFoundError:
        return
    if not servers:
        remove_tree(run)
        remove_if_empty(os.path.dirname(run))


def unlink_if_there(path: str) -> None:
    """Remove a file; it may be gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def remove_if_empty(path: str) -> bool:
    """Remove a directory that others may be using; True if it is gone."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def make(path: str, content: bytes | None) -> None:
    """Make a file with this content, or for None a directory of mode 0700.

    A directory may be there already; what is in a file is replaced.
    """
    if content is None:
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def write_whole(path: str, text: str) -> None:
    """Write a text file of the user's, whole or not at all.

    Raises:
        OSError: It cannot be written; what was there stays as it was.
    """
    unfinished = f"{path}.{os.getpid()}.tmp"
    try:
        with open(unfinished, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(unfinished, path)
    finally:
        # There is none any more once it has taken its place.
        unlink_if_there(unfinished)


def write_record(path: str, fields: dict[str, str]) -> None:
    """Write ``name=value`` lines, whole or not at all."""
    content = "".join(f"{name}={value}\n" for name, value in fields.items())
    make(path + ".new", content.encode("utf-8", "surrogateescape"))
    os.rename(path + ".new", path)


def read_record(path: str) -> dict[str, str]:
    """What `write_record` wrote; empty if it is not there."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)
