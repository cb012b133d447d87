"""Shells, languages and tools that start a program and let go of it."""

from __future__ import annotations

from kinds.model import Kind

SETSID = "own Unix session (setsid)"
BACKGROUND = "background group of a shell that does not pass SIGHUP on"
DOUBLE_FORK = "double fork into a Unix session of its own"


def _shell(name: str, line: str, shell: str = "", why: str = BACKGROUND) -> Kind:
    then = " touch done" if line.endswith(("&", "&!")) else "; touch done"
    return Kind(
        name,
        line + then,
        ready="test -e done",
        shell=shell or name,
        foreign=True,
        survivors=(("sleep", why),),
    )


def _language(name: str, program: str, line: str, why: str = SETSID) -> Kind:
    return Kind(name, line, needs=(program,), foreign=True, survivors=(("sleep", why),))


KINDS = (
    _shell("bash disown", "sleep 1000 & disown", "bash"),
    _shell("bash coproc disown", "coproc sleep 1000; disown", "bash"),
    _shell("sh -c", "sh -c 'sleep 1000 & true'", "bash"),
    _shell("dash", "sleep 1000 &"),
    _shell("zsh", "sleep 1000 &!", "zsh -f"),
    _shell("fish", "sleep 1000 & disown", "fish -N"),
    _shell("bash trap", "(trap '' HUP; exec sleep 1000) &", "bash", "ignores SIGHUP"),
    _shell("mksh", "sleep 1000 &"),
    _shell("tcsh", "sleep 1000 &", "tcsh -f"),
    _shell("busybox ash", "sleep 1000 &", "busybox ash"),
    _language("nohup", "nohup", "nohup sleep 1000 > log 2>&1 &", "ignores SIGHUP"),
    _language("setsid", "setsid", "setsid sleep 1000 &"),
    _language("setsid --fork", "setsid", "setsid --fork sleep 1000"),
    _language(
        "start-stop-daemon",
        "start-stop-daemon",
        "start-stop-daemon --start --background --make-pidfile --pidfile $PWD/pid "
        "--exec $(command -v sleep) -- 1000",
        DOUBLE_FORK,
    ),
    Kind(
        "daemon",
        "daemon --name=agent --pidfiles=$PWD -- sleep 1000",
        needs=("daemon",),
        foreign=True,
        survivors=tuple(
            (name, f"{DOUBLE_FORK}, ignores SIGHUP") for name in ("daemon", "sleep")
        ),
    ),
    _language(
        "daemonize",
        "daemonize",
        "daemonize -c $PWD -p $PWD/pid $(command -v sleep) 1000",
    ),
    Kind(
        "strace",
        "setsid strace -qo log sleep 1000 &",
        needs=("strace",),
        foreign=True,
        survivors=(
            ("strace", f"{SETSID}, ignores SIGHUP and SIGTERM"),
            ("sleep", "in the Unix session of strace N (setsid)"),
        ),
    ),
    Kind(
        "runsvdir",
        "mkdir -p services/agent && install -m 755 run services/agent"
        " && setsid runsvdir services &",
        needs=("runsvdir",),
        files={"run": "#!/bin/sh\nexec sleep 1000\n"},
        foreign=True,
        survivors=(
            ("runsvdir", SETSID),
            ("runsv", "in the Unix session of runsvdir N (setsid)"),
            ("sleep", "in the Unix session of runsvdir N (setsid)"),
        ),
    ),
    Kind(
        "socat",
        "setsid socat UNIX-LISTEN:relay,fork - &",
        needs=("socat",),
        ready="test -S relay",
        foreign=True,
        survivors=(("socat", SETSID),),
        holds=("listens on *relay",),
    ),
    Kind(
        "nc",
        "nohup nc -lkU agent.sock > log 2>&1 &",
        needs=("nc",),
        ready="test -S agent.sock",
        foreign=True,
        survivors=(("nc", "ignores SIGHUP"),),
        holds=("listens on agent.sock",),
    ),
    Kind(
        "expect",
        "expect -f agent.exp",
        needs=("expect",),
        files={
            "agent.exp": "if {[fork]} exit\ndisconnect\nspawn -noecho cat\n"
            "set timeout -1\nexpect eof\n"
        },
        foreign=True,
        survivors=(("expect", f"{SETSID}, ignores SIGHUP"), ("cat", SETSID)),
    ),
    Kind(
        "script",
        "setsid -f script -qfc 'exec cat' log < /dev/ptmx",
        needs=("script",),
        foreign=True,
        survivors=(("script", SETSID), ("cat", SETSID)),
    ),
    Kind(
        "make",
        "make -f agent.mk",
        needs=("make",),
        files={"agent.mk": "agent:\n\tnohup sleep 1000 > log 2>&1 &\n"},
        foreign=True,
        survivors=(("sleep", "ignores SIGHUP"),),
    ),
    _language("xargs", "xargs", "printf '%s\\n' 1000 | xargs -P 2 setsid -f sleep"),
    _language(
        "perl", "perl", "perl -MPOSIX -e 'fork and exit; setsid; exec @ARGV' sleep 1000"
    ),
    Kind(
        "perl double fork",
        "perl -MPOSIX -e 'fork and exit; setsid; fork and exit; sleep 1000'",
        needs=("perl",),
        foreign=True,
        survivors=(("perl", "double fork into a Unix session of its own"),),
    ),
    Kind(
        "ruby",
        "ruby -e 'exit! if fork; Process.setsid; sleep'",
        needs=("ruby",),
        foreign=True,
        survivors=(("ruby", SETSID),),
    ),
    _language(
        "node",
        "node",
        'node -e \'require("child_process").spawn("sleep", ["1000"], '
        '{detached: true, stdio: "ignore"}).unref()\'',
    ),
    _language("php", "php", "php -r 'exec(\"setsid sleep 1000 > /dev/null 2>&1 &\");'"),
    _language(
        "tcl",
        "tclsh",
        "echo 'exec nohup sleep 1000 > log 2>@1 &' | tclsh",
        "ignores SIGHUP",
    ),
    _language("lua", "lua5.4", "lua5.4 -e 'os.execute(\"sleep 1000 &\")'", BACKGROUND),
    _language(
        "sqlite3",
        "sqlite3",
        "sqlite3 :memory: '.system nohup sleep 1000 > log 2>&1 &'",
        "ignores SIGHUP",
    ),
    _language(
        "python subprocess",
        "sh",
        "$PYTHON -c 'import subprocess as s; "
        's.Popen(["sleep", "1000"], start_new_session=True)\'',
    ),
    Kind(
        "python multiprocessing",
        "$PYTHON -W ignore work.py",
        files={
            "work.py": "import multiprocessing, os, time\n"
            "if __name__ == '__main__':\n"
            "    multiprocessing.set_start_method('forkserver')\n"
            "    worker = multiprocessing.Process(target=time.sleep, args=(1000,))\n"
            "    worker.start()\n"
            "    os._exit(0)\n"
        },
        foreign=True,
        survivors=(
            ("python*", f"ignores SIGTERM, {BACKGROUND}"),
            ("python*", BACKGROUND),
            ("python*", BACKGROUND),
        ),
    ),
    Kind(
        "python http.server",
        "setsid $PYTHON -m http.server --bind $HOST 7999 &",
        ready='grep -q " $HEX:1F3F .* 0A " /proc/net/tcp',
        foreign=True,
        survivors=(("http.server", SETSID),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "runuser",
        "nohup runuser -u nobody -- sleep 1000 > log 2>&1 &",
        needs=("runuser",),
        root=True,
        foreign=True,
        survivors=(
            ("runuser", "ignores SIGHUP, blocks SIGHUP"),
            ("sleep", "belongs to user nobody, ignores SIGHUP"),
        ),
    ),
    Kind(
        "unshare",
        "setsid unshare --pid --fork sleep 1000 &",
        needs=("unshare",),
        root=True,
        foreign=True,
        survivors=(
            ("unshare", SETSID),
            (
                "sleep",
                "in a PID namespace of its own, "
                "in the Unix session of unshare N (setsid)",
            ),
        ),
    ),
)
