"""Run the tests on one version of tmux: ``on_tmux.py 3.5a [arguments of pytest]``.

TMUXLIFE_TMUX_DIR names a directory that has it as ``3.5a/bin/tmux``, where the
``make install`` of a release leaves it, or as ``3.5a/tmux``. A bare ``tmux`` of the
tests is that one too. Never another one: where it is missing, or is of another version,
this ends with status 2 and says what to do.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_tmuxlife.terminal.tmux.version import version_of

DIRECTORY = "TMUXLIFE_TMUX_DIR"
# What conftest and the tests hold the servers to.
ASKED = "TESTED_TMUX"
HOW = (
    "build a release with ./configure --prefix=DIR/{version} && make install, and set "
    + DIRECTORY
    + "=DIR"
)


class NotThere(Exception):
    """No such tmux; says what to do."""


def find(version: str, directory: str | None) -> Path:
    """The program of that version.

    Raises:
        NotThere: There is none, or it says another version.
    """
    how = HOW.format(version=version)
    if not directory:
        raise NotThere(f"{DIRECTORY} is not set: {how}")
    places = [
        Path(directory, version, *below) for below in (("bin", "tmux"), ("tmux",))
    ]
    for place in places:
        if not place.is_file():
            continue
        said = version_of(str(place))
        if said != f"tmux {version}":
            raise NotThere(f"{place} says {said!r}, not 'tmux {version}': {how}")
        return place.absolute()
    raise NotThere(f"no tmux {version}: neither {places[0]} nor {places[1]}: {how}")


def main() -> None:
    """Become pytest, with that tmux before all others."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    version, *arguments = sys.argv[1:]
    try:
        tmux = find(version, os.environ.get(DIRECTORY))
    except NotThere as error:
        sys.stderr.write(f"on_tmux.py: {error}\n")
        sys.exit(2)
    os.environ.update(
        {
            "PATH": f"{tmux.parent}:{os.environ.get('PATH', os.defpath)}",
            "TMUXLIFE_BIN": str(tmux),
            ASKED: version,
        }
    )
    command = [sys.executable, "-m", "pytest", "--tmux-required", *arguments]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
