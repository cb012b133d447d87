"""From a fresh fork of the reaper to a supervisor that serves."""

from __future__ import annotations

import os
import signal
import socket
from typing import NoReturn

from pytest_tmuxlife.containment import cgroup, kernel
from pytest_tmuxlife.containment.supervisor_main import Supervisor


def supervise(
    control: socket.socket,
    pytest_pid: int,
    pytest_pidfd: int,
    reaper_pidfd: int,
    directory: str,
    mark: str,
    cgroup_path: str,
    adopts: bool,
) -> NoReturn:
    """Be a supervisor; the calling process is a fresh fork of the reaper.

    Args:
        control: The line to pytest.
        pytest_pid: Pid of pytest, which holds its own descendants.
        pytest_pidfd: Pidfd of pytest.
        reaper_pidfd: Pidfd of the reaper.
        directory: To be made.
        mark: Of all that it starts.
        cgroup_path: To be made and entered if that can be, unless it is "".
        adopts: Be a child subreaper, if the kernel lets us.
    """
    kernel.set_name("tmuxlife-superv")
    adopts = adopts and kernel.become_subreaper()
    if not (cgroup_path and cgroup.enter(cgroup_path)):
        cgroup_path = ""
    os.mkdir(directory, 0o700)
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    supervisor = Supervisor(
        control,
        pytest_pid,
        pytest_pidfd,
        reaper_pidfd,
        read_end,
        directory,
        mark,
        cgroup_path,
        adopts,
    )
    supervisor.record()
    supervisor.run()
