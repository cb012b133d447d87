"""Servers and agents that put themselves into the background."""

from __future__ import annotations

from kinds.model import Kind

SETSID = "own Unix session (setsid)"
CATCHES = "catches SIGHUP"
DOUBLE_FORK = "double fork into a Unix session of its own"
TCP_IS_OPEN = 'grep -q " $HEX:1F3F .* 0A " /proc/net/tcp'

KINDS = (
    Kind(
        "ssh-agent",
        "ssh-agent -a agent",
        needs=("ssh-agent",),
        foreign=True,
        survivors=(("ssh-agent", SETSID),),
        holds=("listens on agent",),
        secretive=True,
    ),
    Kind(
        "gpg-agent",
        "mkdir -m 700 keys && GNUPGHOME=$PWD/keys gpg-agent --daemon",
        needs=("gpg-agent",),
        ready="test -S keys/S.gpg-agent",
        foreign=True,
        survivors=(("gpg-agent", SETSID),),
        holds=("listens on $PWD/keys/S.gpg-agent",),
        secretive=True,
    ),
    Kind(
        "dbus-daemon",
        "dbus-daemon --session --fork --nopidfile --address=unix:path=$PWD/bus",
        needs=("dbus-daemon",),
        ready="test -S bus",
        foreign=True,
        survivors=(("dbus-daemon", SETSID),),
        holds=("listens on $PWD/bus",),
    ),
    Kind(
        "git credential cache",
        r"printf 'protocol=https\nhost=h\nusername=u\npassword=p\n' "
        "| git credential-cache --socket $PWD/cache/socket store; "
        "touch stored",
        needs=("git",),
        ready="test -e stored",
        foreign=True,
        survivors=(("git", CATCHES),),
        holds=("listens on *socket",),
    ),
    Kind(
        "git daemon",
        "git daemon --detach --listen=$HOST --port=7999 --base-path=$PWD",
        needs=("git",),
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("git-daemon", SETSID),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "nginx",
        "nginx -p $PWD/ -c nginx.conf -e error.log",
        needs=("nginx",),
        files={
            "nginx.conf": "user root; pid nginx.pid; error_log error.log;\n"
            "worker_processes 1; events {}\n"
            "http { access_log off; client_body_temp_path b; proxy_temp_path p;\n"
            "fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n"
            "server { listen unix:web.sock; } }\n"
        },
        ready="test -s nginx.pid",
        foreign=True,
        survivors=(
            ("nginx", SETSID),
            ("nginx", "in the Unix session of nginx N (setsid)"),
        ),
        holds=("listens on web.sock",),
        missed_by=("marker",),
    ),
    Kind(
        "lighttpd",
        "lighttpd -f lighttpd.conf",
        needs=("lighttpd",),
        files={
            "lighttpd.conf": 'server.document-root = "/tmp"\n'
            "server.bind = env.HOST\nserver.port = 7999\n"
        },
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("lighttpd", DOUBLE_FORK),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "webfsd",
        "webfsd -p 7999 -i $HOST -r .",
        needs=("webfsd",),
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("webfsd", SETSID),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "mini_httpd",
        "mini_httpd -h $HOST -p 7999 -d . -i mini.pid",
        needs=("mini_httpd",),
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("mini_httpd", SETSID),),
        drops_root=True,
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "busybox httpd",
        "busybox httpd -p $HOST:7999 -h .",
        needs=("busybox",),
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("busybox", SETSID),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "redis-server",
        "redis-server redis.conf",
        needs=("redis-server",),
        files={
            "redis.conf": "daemonize yes\nport 0\nunixsocket redis.socket\n"
            "pidfile redis.pid\nlogfile redis.log\ndir .\nsave ''\n"
        },
        ready="test -S redis.socket",
        foreign=True,
        survivors=(("redis-server", f"{SETSID}, ignores SIGHUP"),),
        holds=("listens on redis.socket",),
        missed_by=("marker",),
    ),
    Kind(
        "memcached",
        "memcached -d -u $(id -un) -s $PWD/cache.sock -P $PWD/pid",
        needs=("memcached",),
        ready="test -S cache.sock",
        foreign=True,
        # Some versions ignore SIGHUP besides.
        survivors=(("memcached", f"{SETSID}*"),),
        holds=("listens on $PWD/cache.sock",),
    ),
    Kind(
        "mosquitto",
        r"printf 'user %s\nlistener 7999 %s\n' $(id -un) $HOST > mosquitto.conf "
        "&& mosquitto -d -c mosquitto.conf",
        needs=("mosquitto",),
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("mosquitto", SETSID),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "rsync",
        "rsync --daemon --config=rsync.conf --address=$HOST --port=7999",
        needs=("rsync",),
        files={"rsync.conf": "use chroot = no\nlog file = /dev/null\n"},
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("rsync", SETSID),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "dnsmasq",
        "dnsmasq -C dnsmasq.conf --listen-address=$HOST "
        "--user=$(id -un) --log-facility=$PWD/dns.log",
        needs=("dnsmasq",),
        files={
            "dnsmasq.conf": "port=7999\nbind-interfaces\nno-resolv\nno-hosts\n"
            "pid-file=\n"
        },
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("dnsmasq", DOUBLE_FORK),),
        holds=("listens on $HOST:7999", "receives on udp $HOST:7999"),
    ),
    Kind(
        "ngircd",
        "sed s/HOST/$HOST/ irc.in > irc.conf && ngircd -f $PWD/irc.conf",
        needs=("ngircd",),
        files={
            "irc.in": "[Global]\nName = irc.test\nInfo = test\nListen = HOST\n"
            "Ports = 7999\n[Options]\nIdent = no\nPAM = no\nDNS = no\n"
        },
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("ngircd", SETSID),),
        drops_root=True,
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "redir",
        "redir $HOST:7999 $HOST:7998",
        needs=("redir",),
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("redir", SETSID),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "mosh-server",
        "LC_ALL=C.UTF-8 mosh-server new -i $HOST -p 7999 -- cat",
        needs=("mosh-server",),
        foreign=True,
        survivors=(("mosh-server", "ignores SIGHUP"), ("mosh-server", SETSID)),
        holds=("receives on udp $HOST:7999",),
    ),
    Kind(
        "inotifywait",
        "touch log; inotifywait -d -o $PWD/log -m .",
        needs=("inotifywait",),
        foreign=True,
        survivors=(("inotifywait", SETSID),),
        holds=("inotify, 1 watched", "$PWD/log"),
    ),
    Kind(
        "nested tmux",
        "tmux -S nested -f /dev/null new-session -d 'exec cat'",
        needs=("tmux",),
        foreign=True,
        survivors=(
            ("tmux: server", "another multiplexer's server"),
            ("cat", "held by another multiplexer's server, tmux: server N"),
        ),
        holds=("listens on nested",),
    ),
    Kind(
        "screen",
        "SCREENDIR=$PWD/screens screen -c /dev/null -dmS agent cat",
        needs=("screen",),
        foreign=True,
        survivors=(
            ("screen", "another multiplexer's server"),
            ("cat", "held by another multiplexer's server, screen N"),
        ),
    ),
    Kind(
        "dtach",
        "dtach -n held cat",
        needs=("dtach",),
        ready="test -S held",
        foreign=True,
        survivors=(
            ("dtach", "another multiplexer's server"),
            ("cat", "held by another multiplexer's server, dtach N"),
        ),
        holds=("listens on held",),
    ),
    # In the foreground too: a hang-up means "read your configuration again".
    Kind(
        "dbus-daemon in the foreground",
        "dbus-daemon --session --nofork --nopidfile --address=unix:path=$PWD/bus",
        needs=("dbus-daemon",),
        ready="test -S bus",
        foreign=True,
        survivors=(("dbus-daemon", CATCHES),),
        holds=("listens on $PWD/bus",),
    ),
    Kind(
        "webfsd in the foreground",
        "webfsd -F -p 7999 -i $HOST -r .",
        needs=("webfsd",),
        ready=TCP_IS_OPEN,
        foreign=True,
        survivors=(("webfsd", CATCHES),),
        holds=("listens on $HOST:7999",),
    ),
    Kind(
        "redis-server in the foreground",
        "redis-server --port 0 --unixsocket redis.socket --save ''",
        needs=("redis-server",),
        ready="test -S redis.socket",
        foreign=True,
        survivors=(("redis-server", "ignores SIGHUP"),),
        holds=("listens on redis.socket",),
        missed_by=("marker",),
    ),
)
