"""Does what its arguments say, in their order, announces itself, and stays.

Each argument is a function of this module, ``name`` or ``name=value``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

import ready

_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER, _PR_SET_DUMPABLE = 15, 36, 4
_libc = ctypes.CDLL(None, use_errno=True)
_kept: list[object] = []


def fork() -> None:
    """Go on as a child whose parent has exited."""
    if os.fork():
        os._exit(0)


def child() -> None:
    """Go on as a child whose parent stays and waits for it."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        os._exit(0)


def setsid() -> None:
    os.setsid()


def group() -> None:
    """A process group of its own, in the same Unix session."""
    os.setpgid(0, 0)


def ignore(name: str) -> None:
    signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)


def block(name: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, f"SIG{name}")])


def catch(name: str) -> None:
    signal.signal(getattr(signal, f"SIG{name}"), lambda *_: None)


def fork_at(name: str) -> None:
    """Whenever the signal comes: exit, and go on as a child."""
    signal.signal(getattr(signal, f"SIG{name}"), lambda *_: fork())


def orphan() -> None:
    """Leave a grandchild behind whose parent has exited."""
    pid = os.fork()
    if pid == 0:
        if os.fork():
            os._exit(0)
        _stay()
    os.waitpid(pid, 0)


def spawn() -> None:
    """A program in a Unix session of its own, by the one call that does it."""
    os.posix_spawnp("sleep", ["sleep", "1000"], os.environ, setsid=True)


def subreaper() -> None:
    """Adopt what is orphaned below."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def rename(name: str) -> None:
    """Another name in /proc/PID/comm."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def secretive() -> None:
    """Not dumpable: most of /proc/PID belongs to root then."""
    _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: object) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def overwrite_environment() -> None:
    """As a program does that shows a title of its own (setproctitle)."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    ctypes.memmove(start, b"a title of its own".ljust(end - start, b"\0"), end - start)


def chdir(path: str) -> None:
    os.chdir(path)


def close() -> None:
    """Let go of what it inherited, as daemons do."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)


def execute(name: str) -> None:
    """Become another program, with another name, which stays."""
    ready.announce(os.getpid())
    os.execvp("sleep", [name, "1000"])


def log(path: str) -> None:
    _kept.append(open(path, "a"))  # noqa: SIM115


def delete(path: str) -> None:
    _kept.append(open(path, "w"))  # noqa: SIM115
    os.unlink(path)


def memory(name: str) -> None:
    _kept.append(os.memfd_create(name))


def listen(path: str) -> None:
    """A Unix socket; an abstract one after an ``@``."""
    name = f"\0{path[1:]}{os.getpid()}" if path.startswith("@") else path
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen()
    _kept.append(listener)


def listen_tcp(host: str) -> None:
    _kept.append(socket.create_server((host, 7999)))


def receive(path: str) -> None:
    """A Unix socket for datagrams."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(path)
    _kept.append(receiver)


def receive_udp(host: str) -> None:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((host, 7999))
    _kept.append(receiver)


def mkfifo(path: str) -> None:
    os.mkfifo(path)
    _kept.append(os.open(path, os.O_RDWR))


def inotify(path: str) -> None:
    number = _libc.inotify_init1(0)
    _libc.inotify_add_watch(number, path.encode(), 2)


def terminal() -> None:
    _kept.append(os.openpty())


def pipe_to_child() -> None:
    """Go on as the writer; the reader is a child in the same way of living."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        _stay()
    os.close(reading)


def child_stops() -> None:
    """Leave a stopped child behind."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.raise_signal(signal.SIGSTOP)
        _stay()
    os.waitpid(pid, os.WUNTRACED)


def child_zombie() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def child_traced() -> None:
    """A child that is stopped because this one traces it."""
    pid = os.fork()
    if pid == 0:
        _libc.ptrace(0, 0, 0, 0)
        signal.raise_signal(signal.SIGSTOP)
        _stay()
    os.waitpid(pid, os.WUNTRACED)


def many(number: str) -> None:
    """So many children."""
    for _ in range(int(number)):
        if os.fork() == 0:
            _stay()


def late(seconds: str) -> None:
    """Fork again that long after it was hung up on, and exit."""
    block("HUP")
    ready.announce(os.getpid())
    signal.sigwait([signal.SIGHUP])
    signal.sigtimedwait([], float(seconds))
    fork()
    _stay()


def user(number: str) -> None:
    """Give up root."""
    os.setgroups([])
    os.setgid(int(number))
    os.setuid(int(number))


def _stay() -> None:
    while True:
        signal.pause()


def main() -> None:
    for argument in sys.argv[1:]:
        name, given, value = argument.partition("=")
        globals()[name](*([value] if given else []))
    ready.announce(os.getpid())
    _stay()


if __name__ == "__main__":
    main()
