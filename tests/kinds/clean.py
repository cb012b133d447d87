"""Programs like those that leak, ended as they should be."""

from __future__ import annotations

from kinds.model import Twin

TCP_IS_OPEN = 'grep -q " $HEX:1F3F .* 0A " /proc/net/tcp'
LINE = "$PYTHON $PROGRAMS/misbehaves.py"


def _own(name: str, actions: str) -> Twin:
    return Twin(name, f"{LINE} {actions}", runs=("misbehaves",))


def _shell(name: str, line: str, shell: str) -> Twin:
    return Twin(name, line, shell=shell, runs=("sleep",))


# In the foreground: the hang-up of the pane ends them, or C-c before that.
_FOREGROUND = (
    Twin(
        "ssh-agent in the foreground",
        "ssh-agent -D -a agent",
        ("ssh-agent",),
        ready="test -S agent",
        runs=("ssh-agent",),
    ),
    Twin(
        "dbus-daemon ended by C-c",
        "dbus-daemon --session --nofork --nopidfile --address=unix:path=$PWD/bus",
        ("dbus-daemon",),
        ready="test -S bus",
        runs=("dbus-daemon",),
        interrupt=True,
    ),
    Twin(
        "git daemon in the foreground",
        "git daemon --listen=$HOST --port=7999 --base-path=$PWD",
        ("git",),
        ready=TCP_IS_OPEN,
        runs=("git",),
    ),
    Twin(
        "lighttpd ended by C-c",
        "lighttpd -D -f lighttpd.conf",
        ("lighttpd",),
        files={
            "lighttpd.conf": 'server.document-root = "/tmp"\n'
            "server.bind = env.HOST\nserver.port = 7999\n"
        },
        ready=TCP_IS_OPEN,
        runs=("lighttpd",),
        interrupt=True,
    ),
    Twin(
        "webfsd ended by C-c",
        "webfsd -F -p 7999 -i $HOST -r .",
        ("webfsd",),
        ready=TCP_IS_OPEN,
        runs=("webfsd",),
        interrupt=True,
    ),
    Twin(
        "busybox httpd ended by C-c",
        "busybox httpd -f -p $HOST:7999 -h .",
        ("busybox",),
        ready=TCP_IS_OPEN,
        runs=("busybox",),
        interrupt=True,
    ),
    Twin(
        "redis-server ended by C-c",
        "redis-server --port 0 --unixsocket redis.socket --save ''",
        ("redis-server",),
        ready="test -S redis.socket",
        runs=("redis-server",),
        interrupt=True,
    ),
    Twin(
        "mosquitto ended by C-c",
        r"printf 'user %s\nlistener 7999 %s\n' $(id -un) $HOST > mosquitto.conf "
        "&& mosquitto -c mosquitto.conf",
        ("mosquitto",),
        ready=TCP_IS_OPEN,
        runs=("mosquitto",),
        interrupt=True,
    ),
    Twin(
        "inotifywait in the foreground",
        "inotifywait -m .",
        ("inotifywait",),
        runs=("inotifywait",),
    ),
    Twin(
        "redir in the foreground",
        "redir -n $HOST:7999 $HOST:7998",
        ("redir",),
        ready=TCP_IS_OPEN,
        runs=("redir",),
    ),
    Twin(
        "ngircd ended by C-c",
        "sed s/HOST/$HOST/ irc.in > irc.conf && ngircd -n -f $PWD/irc.conf",
        ("ngircd",),
        files={
            "irc.in": "[Global]\nName = irc.test\nInfo = test\nListen = HOST\n"
            "Ports = 7999\n[Options]\nIdent = no\nPAM = no\nDNS = no\n"
        },
        ready=TCP_IS_OPEN,
        runs=("ngircd",),
        interrupt=True,
    ),
    Twin(
        "python http.server in the foreground",
        "$PYTHON -m http.server --bind $HOST 7999",
        ready=TCP_IS_OPEN,
        runs=("http.server",),
    ),
    Twin(
        "socat in the foreground",
        "socat UNIX-LISTEN:relay,fork -",
        ("socat",),
        ready="test -S relay",
        runs=("socat",),
    ),
    Twin(
        "nc in the foreground",
        "nc -lkU agent.sock",
        ("nc",),
        ready="test -S agent.sock",
        runs=("nc",),
    ),
    Twin(
        "php in the foreground",
        "php -S $HOST:7999",
        ("php",),
        ready=TCP_IS_OPEN,
        runs=("php",),
    ),
    Twin(
        "script in the foreground",
        "script -qc cat log",
        ("script",),
        runs=("script", "cat"),
    ),
    Twin(
        "runsvdir ended by C-c",
        "mkdir services; runsvdir services",
        ("runsvdir",),
        runs=("runsvdir",),
        interrupt=True,
    ),
    Twin(
        "make -j",
        "make -j2 -f agent.mk",
        ("make",),
        files={"agent.mk": "all: a b\na b:\n\tsleep 1000\n"},
        runs=("make", "sleep", "sleep"),
    ),
    Twin(
        "xargs -P",
        "printf '1000\\n1000\\n' | xargs -n 1 -P 2 sleep",
        ("xargs",),
        runs=("xargs", "sleep", "sleep"),
    ),
    Twin("node", "node -e 'setInterval(() => {}, 1e6)'", ("node",), runs=("node",)),
    Twin("perl", "perl -e 'fork; sleep 1000'", ("perl",), runs=("perl", "perl")),
    Twin("ruby", "ruby -e sleep", ("ruby",), runs=("ruby",)),
    Twin("tclsh", "tclsh", ("tclsh",), runs=("tclsh",)),
    Twin("sqlite3", "sqlite3", ("sqlite3",), runs=("sqlite3",)),
    Twin("sh", "sh", ("sh",), runs=("sh",)),
    _own("child that waits", "child"),
    _own("catches TERM only", "catch=TERM"),
    _own("ignores INT", "ignore=INT"),
    _own("subreaper with an orphan", "subreaper orphan"),
    _own("thirty children", "many=30"),
)
# Background jobs of shells that do tell them, or put them into their own group.
_JOBS = (
    _shell("bash", "sleep 1000 &", "bash"),
    _shell("bash set +m", "set +m; sleep 1000 &", "bash"),
    _shell("zsh", "sleep 1000 &", "zsh -f"),
    _shell("fish", "sleep 1000 &", "fish -N"),
    _shell("pipe of jobs", "sleep 1000 | sleep 1001 &", "bash"),
)
# Ended by their own means before the test ends.
_STOPPED = (
    Twin(
        "ssh-agent -k",
        'eval "$(ssh-agent -a agent)"',
        ("ssh-agent",),
        runs=("ssh-agent",),
        stop="ssh-agent -k",
    ),
    Twin(
        "gpgconf --kill",
        "mkdir -m 700 keys; export GNUPGHOME=$PWD/keys; gpg-agent --daemon",
        ("gpg-agent", "gpgconf"),
        ready="test -S keys/S.gpg-agent",
        runs=("gpg-agent",),
        stop="gpgconf --kill gpg-agent",
    ),
    Twin(
        "redis-cli shutdown",
        "redis-server --port 0 --unixsocket redis.socket --save '' --daemonize yes",
        ("redis-server", "redis-cli"),
        ready="test -S redis.socket",
        runs=("redis-server",),
        stop="redis-cli -s redis.socket shutdown",
    ),
    Twin(
        "nginx -s stop",
        "nginx -p $PWD/ -c nginx.conf -e error.log",
        ("nginx",),
        files={
            "nginx.conf": "user root; pid nginx.pid; error_log error.log;\n"
            "worker_processes 1; events {}\n"
        },
        ready="test -s nginx.pid",
        runs=("nginx", "nginx"),
        stop="nginx -p $PWD/ -c nginx.conf -e error.log -s stop",
    ),
    Twin(
        "git credential-cache exit",
        r"printf 'protocol=https\nhost=h\nusername=u\npassword=p\n' "
        "| git credential-cache --socket $PWD/cache/socket store",
        ("git",),
        ready="test -S cache/socket",
        runs=("git",),
        stop="git credential-cache --socket $PWD/cache/socket exit",
    ),
    Twin(
        "tmux kill-server",
        "tmux -S nested -f /dev/null new-session -d 'exec cat'",
        ("tmux",),
        runs=("tmux: server", "cat"),
        stop="tmux -S nested kill-server",
    ),
    Twin(
        "screen -X quit",
        "export SCREENDIR=$PWD/screens; screen -c /dev/null -dmS agent cat",
        ("screen",),
        runs=("screen", "cat"),
        stop="screen -S agent -X quit",
    ),
    Twin(
        "start-stop-daemon --stop",
        "start-stop-daemon --start --background --make-pidfile --pidfile $PWD/pid "
        "--exec $(command -v sleep) -- 1000",
        ("start-stop-daemon",),
        runs=("sleep",),
        stop="start-stop-daemon --stop --pidfile $PWD/pid",
    ),
    Twin(
        "daemon --stop",
        "daemon --name=agent --pidfiles=$PWD -- sleep 1000",
        ("daemon",),
        ready="test -s agent.pid",
        runs=("daemon", "sleep"),
        stop="daemon --stop --name=agent --pidfiles=$PWD",
    ),
    Twin(
        "kill of a job",
        "nohup sleep 1000 > log 2>&1 &",
        ("nohup",),
        runs=("sleep",),
        stop="kill %1",
    ),
)
TWINS: tuple[Twin, ...] = (*_FOREGROUND, *_JOBS, *_STOPPED)
