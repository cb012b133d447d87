"""Daemons that nobody here wrote, started in a pane and forgotten.

Their sockets are named relative to the pane's directory: an absolute path
below a test's directory can be longer than the 107 bytes that fit.
"""

from __future__ import annotations

from processes import SHORT_GRACE, Inner, needs


def test_tmux_server_started_in_the_pane_is_reported(inner: Inner) -> None:
    """So is the shell that it holds."""
    run = inner.run(
        """
        def test_inner(tmux_pane, watch):
            tmux = "tmux -S nested -f /dev/null"
            tmux_pane.run(f"{tmux} new-session -d", check=True)
            query = f"{tmux} display-message -p -t : '#{{pid}} #{{pane_pid}}'"
            shown = tmux_pane.run(query, check=True).output
            watch(*map(int, shown.split()))
        """,
        ini=SHORT_GRACE,
    )
    server = run.watched[0].pid
    run.assert_leaked(
        "another multiplexer's server",
        f"held by another multiplexer's server, tmux: server {server}",
    )
    run.result.stdout.fnmatch_lines(
        ["1 tmux server and 1 process outlived tmux server *"]
    )


@needs("ssh-agent")
def test_ssh_agent_is_reported(inner: Inner) -> None:
    run = inner.run(
        """
        def test_inner(tmux_pane, watch):
            tmux_pane.run('eval "$(ssh-agent -a agent)"', check=True)
            watch(int(tmux_pane.run("echo $SSH_AGENT_PID").output))
        """,
        ini=SHORT_GRACE,
    )
    run.assert_leaked("own Unix session (setsid)")
    assert run.survivors[0].name == "ssh-agent"


REDIS = """
    def test_inner(tmux_pane, tmp_path, watch):
        (tmp_path / "redis.conf").write_text(
            "daemonize yes\\nport 0\\nunixsocket redis.socket\\n"
            "pidfile redis.pid\\nlogfile redis.log\\ndir .\\nsave ''\\n"
        )
        tmux_pane.run("redis-server redis.conf", check=True)
        call = "redis-cli -s redis.socket info server | grep -o 'process_id:[0-9]*'"
        shown = tmux_pane.run(f"until {call}; do :; done").output
        watch(int(shown.splitlines()[-1].partition(":")[2]))
"""


@needs("redis-server")
def test_daemonized_redis_server_is_reported(inner: Inner) -> None:
    """It writes its title over its environment, which is not clearing it."""
    run = inner.run(REDIS, ini=SHORT_GRACE)
    run.assert_leaked("own Unix session (setsid), ignores SIGHUP")
    assert run.survivors[0].name == "redis-server"


@needs("screen")
def test_detached_screen_is_reported(inner: Inner) -> None:
    """So is the program in its window."""
    run = inner.run(
        """
        import tempfile
        import psutil

        def test_inner(tmux_pane, start, watch, request):
            # A socket's path is short, and tmp_path is not.
            screens = tempfile.TemporaryDirectory(dir="/tmp")
            request.addfinalizer(screens.cleanup)
            screen = f"SCREENDIR={screens.name} screen -c /dev/null -dmS agent"
            (program,) = start(tmux_pane, f"{screen} $PYTHON $PROGRAMS/stays.py")
            watch(psutil.Process(program).ppid())
        """,
        ini=SHORT_GRACE,
    )
    _, screen = (one.pid for one in run.watched)
    run.assert_leaked(
        f"held by another multiplexer's server, screen {screen}",
        "another multiplexer's server",
    )
