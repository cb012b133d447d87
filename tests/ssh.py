"""A way into this machine by ssh that is the test's own.

sshd runs for one connection, on the pipe of the client (ProxyCommand): no
port, no daemon, no key, start-up file or configuration of the user or of the
machine.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOST = "private"
_LIMIT = 60.0
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
SSHD = shutil.which("sshd", path=_PATH)
needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None, reason="ssh or sshd is not installed"
)
# Where sshd of root wants to be locked in; else made when the service starts.
_LOCKED_IN = Path("/run/sshd")

_SERVER = """
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
# A shell of the user's reads no start-up file there.
SetEnv HOME={directory}
# The directory is below one that everybody may write to.
StrictModes no
UsePAM no
PidFile none
"""
_CLIENT = """
Host {host}
  ProxyCommand {sshd} -i -f {directory}/sshd_config -E {directory}/log
  IdentityFile {directory}/user
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {directory}/known
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking accept-new
  LogLevel ERROR
  BatchMode yes
"""


@contextmanager
def way_in(directory: Path) -> Iterator[Path]:
    """Keys and configurations in *directory*; yields that of the client.

    Raises:
        AssertionError: The way does not lead in; has the server's log.
    """
    if os.geteuid() == 0:
        with _locked_in():
            yield _make(directory)
    else:
        yield _make(directory)


@contextmanager
def _locked_in() -> Iterator[None]:
    """The directory that sshd wants is there; removed again if it was not.

    Other runs use it meanwhile: each holds a lock on it, and whoever made it
    waits for theirs.
    """
    made, descriptor = _hold()
    try:
        yield
    finally:
        if made:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _LOCKED_IN.rmdir()
        os.close(descriptor)


def _hold() -> tuple[bool, int]:
    """Whether it was made here, and a descriptor of it that has a lock."""
    while True:
        try:
            _LOCKED_IN.mkdir(mode=0o755)
            made = True
        except FileExistsError:
            made = False
        try:
            descriptor = os.open(_LOCKED_IN, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.fstat(descriptor).st_nlink:
            return made, descriptor
        # Whoever made it has removed it meanwhile.
        os.close(descriptor)


def _make(directory: Path) -> Path:
    for name in ("host", "user"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"]
        subprocess.run([*keygen, directory / name], check=True, timeout=_LIMIT)
    (directory / "sshd_config").write_text(_SERVER.format(directory=directory))
    client = directory / "ssh_config"
    client.write_text(_CLIENT.format(directory=directory, host=HOST, sshd=SSHD))
    command = ["ssh", "-n", "-F", str(client), HOST, "echo $HOME"]
    tried = subprocess.run(command, stdout=subprocess.PIPE, timeout=_LIMIT)
    assert tried.stdout.decode() == f"{directory}\n", (directory / "log").read_text()
    return client
