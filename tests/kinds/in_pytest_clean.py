"""What looks like a leak in the pytest process, and is none of the test's."""

from __future__ import annotations

from kinds.model import Passing

_GONE_BY_ITSELF = (
    Passing("garbage cycle", "cycle = [open('/dev/null')]; cycle.append(cycle)"),
    Passing("local variable", "log = open(tmp_path / 'log', 'w')"),
    Passing("child that was waited for", "subprocess.run(['true'], check=True)"),
    Passing(
        "orphan that is about to end",
        """
        reading, writing = os.pipe()
        orphan(ending_with(reading, writing))
        os.close(reading)
        os.close(writing)
        """,
    ),
    Passing(
        "thread on its way out",
        """
        def work():
            with open('/dev/null'):
                go.wait()
        go = threading.Event()
        keep(threading.Thread(target=work)).start()
        threading.Timer(0.1, go.set).start()
        """,
    ),
    Passing(
        "child that a thread waits for",
        """
        pid = os.posix_spawn('/bin/true', ['true'], os.environ)
        os.waitid(os.P_PID, pid, EXITED)
        keep(threading.Timer(0.1, os.waitpid, (pid, 0))).start()
        """,
    ),
    Passing(
        "event loop that runs a child",
        """
        async def work():
            child = await asyncio.create_subprocess_exec('cat', stdin=PIPE, stdout=PIPE)
            await child.communicate(b'x')
        asyncio.run(work())
        """,
    ),
    Passing(
        "pool of processes",
        """
        with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
            assert pool.submit(abs, -1).result() == 1
        """,
    ),
)
_OF_NO_TEST = (
    Passing(
        "import of a module that opens a file",
        """
        (tmp_path / 'lazy.py').write_text('LOG = open("/dev/null")')
        sys.path.insert(0, str(tmp_path))
        import lazy
        """,
    ),
    Passing(
        "resource tracker of multiprocessing",
        "it = shared_memory.SharedMemory(create=True, size=8); it.close(); it.unlink()",
    ),
    Passing(
        "fork server of multiprocessing",
        """
        it = multiprocessing.get_context('forkserver').Process(target=abs, args=(1,))
        it.start()
        it.join()
        it.close()
        """,
    ),
    Passing(
        "heap of multiprocessing",
        "keep(multiprocessing.get_context('spawn').Value('i', lock=False))",
    ),
    Passing(
        "fixture of the module that is set up for it",
        "assert module_log.fileno()",
        fixtures="module_log",
        before="""
        @pytest.fixture(scope='module')
        def module_log(tmp_path_factory):
            with open(tmp_path_factory.mktemp('module') / 'log', 'w') as log:
                yield log
        """,
    ),
    Passing(
        "object of a session's fixture that opens later",
        "client.append(open('/dev/null'))",
        fixtures="client",
        before="""
        @pytest.fixture(scope='session')
        def client():
            opened = []
            yield opened
            for one in opened:
                one.close()
        """,
    ),
    Passing(
        "daemon of a session's fixture",
        "subprocess.run(['tmux', 'has-session'], check=True)",
        fixtures="daemon",
        before="""
        @pytest.fixture(scope='session')
        def daemon():
            start_tmux()
            pid = orphan(os.setsid)
            yield
            end_orphan(pid)
            subprocess.run(['tmux', 'kill-server'], check=True)
        """,
    ),
    Passing(
        "fixture of the test that closes",
        "assert capfd.readouterr().out == ''",
        fixtures="capfd, log",
        before="""
        @pytest.fixture
        def log(tmp_path):
            with open(tmp_path / 'log', 'w') as log:
                yield log
        """,
    ),
)
PASSING: tuple[Passing, ...] = (*_GONE_BY_ITSELF, *_OF_NO_TEST)
