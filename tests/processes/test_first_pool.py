"""The agent is loaded with a program's first pool: once, wherever that is created, and never in the program's way."""

from __future__ import annotations

import importlib.util
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from poolwitness.boot.first_pool import ADVICE
from tests.support.programs import Ran, environment, run

ON = {"POOLWITNESS": "1"}
NOT_OPENED = '"host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, num_workers=1'
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
servers = [
    pytest.mark.servers,
    pytest.mark.matrix,
    pytest.mark.per_python,
    pytest.mark.skipif(sys.platform == "win32" or sys.version_info >= (3, 15), reason="not installed there"),
]


def both(program: str, *arguments: str, dsn: str = "", **variables: str) -> tuple[Ran, Ran]:
    """The program with the agent and without: what it printed and how it ended must be the same."""
    env = environment(DSN=dsn, PYTHONWARNINGS="ignore::DeprecationWarning")
    program = program.replace("NOT_OPENED", NOT_OPENED)
    with_agent, without = run(program, {**env, **ON, **variables}, *arguments), run(program, env, *arguments)
    assert (with_agent.stdout, with_agent.own_stderr, with_agent.status) == (
        without.stdout,
        without.own_stderr,
        without.status,
    ), with_agent.stderr
    return with_agent, without


def opened(ran: Ran) -> set[str]:
    """The names of the pools that the agent saw being opened."""
    return {event["db.client.connection.pool.name"] for event in ran.named("poolwitness.pool.opened")}


def failures(ran: Ran) -> list[str]:
    """What the agent reports of itself."""
    return [event["message"] for event in ran.named("poolwitness.agent.failed")]


STILL_LOADING = "another thread is still loading the agent, so this pool is not watched; the program runs on"


def all_observed_or_reported(ran: Ran, names: set[str]) -> bool:
    """Whether each pool was observed, but for those whose threads have waited in vain, on a busy machine."""
    return opened(ran) <= names and failures(ran) == [STILL_LOADING] * (len(names) - len(opened(ran)))


def is_clean(ran: Ran) -> bool:
    """Whether nothing was found, and nothing of the agent has failed."""
    return ran.verdict == "clean" and not failures(ran) and not ran.named("poolwitness.agent.part_disabled")


# What is there before


def test_without_a_pool_nothing_is_loaded_or_written() -> None:
    program = """
        import os, sys, threading, psycopg_pool
        before = set(sys.modules)
        threading.Thread(target=print).start()
        if hasattr(os, "fork"):
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
        print(set(sys.modules) - before, "structlog" in sys.modules, "psutil" in sys.modules)
    """
    with_agent, _ = both(program)
    assert with_agent.stderr == b""


@pytest.mark.parametrize(("name", "value"), [("SIGNAL", "SIGUSR2"), ("BLACKBOX", "box"), ("OUTPUT", "otel")])
def test_what_works_without_a_pool_loads_the_agent_with_psycopg_pool(name: str, value: str) -> None:
    program = "import sys, psycopg_pool; print('poolwitness.agent' in sys.modules)"
    assert run(program, environment(**ON, **{f"POOLWITNESS_{name}": value})).stdout == b"True\n"


def test_a_snapshot_before_there_is_a_pool() -> None:
    program = f"""
        import poolwitness, psycopg_pool
        print(poolwitness.snapshot().pools, poolwitness.findings())
        with psycopg_pool.ConnectionPool({NOT_OPENED}):
            print(len(poolwitness.snapshot().pools))
    """
    ran = run(program, environment(**ON))
    assert ran.stdout == b"() []\n1\n"
    assert [event["event"] for event in ran.events] == [
        "poolwitness.agent.started",
        "poolwitness.pool.opened",
        "poolwitness.pool.closed",
        "poolwitness.verdict",
    ]


@pytest.mark.parametrize("when", ["off", "before psycopg_pool", "deactivated"])
def test_a_snapshot_of_a_process_in_which_the_agent_is_not_active(when: str) -> None:
    program = """
        import sys, poolwitness
        if sys.argv[1] == "deactivated":
            import psycopg_pool
            psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False)
            poolwitness.deactivate()
        for ask in (poolwitness.snapshot, poolwitness.findings):
            try:
                ask()
            except RuntimeError as error:
                print(str(error)[:46])
    """
    ran = run(program, environment(**({} if when == "off" else ON)), when)
    assert ran.stdout.splitlines() == [b"poolwitness is not active in this process: set"] * 2


# Where the first pool is created

IN_A_LOOP = """
    import asyncio, os
    from psycopg_pool import AsyncConnectionPool

    async def main():
        async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1, name="first") as pool:
            async with pool.connection() as conn:
                print(await (await conn.execute("select 42")).fetchone())

    asyncio.run(main())
"""
IN_A_THREAD = """
    import os, threading
    from psycopg_pool import ConnectionPool

    def work():
        with ConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1, name="first") as pool:
            with pool.connection() as conn:
                print(conn.execute("select 42").fetchone())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
"""
IN_A_SIGNAL_HANDLER = """
    import os, signal, time
    from psycopg_pool import ConnectionPool

    done = []

    def handle(number, frame):
        with ConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1, name="first") as pool:
            with pool.connection() as conn:
                print(conn.execute("select 42").fetchone())
        done.append(True)

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    while not done:
        sum(range(1000))
"""
IN_AN_EXIT_CALLBACK = """
    import atexit, os
    from psycopg_pool import ConnectionPool

    def tidy():
        with ConnectionPool(NOT_OPENED, name="first") as pool:
            print(pool.closed)

    atexit.register(tidy)
"""


@pytest.mark.matrix
@pytest.mark.per_python
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(IN_A_LOOP, id="event loop"),
        pytest.param(IN_A_THREAD, id="thread"),
        pytest.param(IN_A_SIGNAL_HANDLER, id="signal handler", marks=needs_signals),
        pytest.param(
            IN_AN_EXIT_CALLBACK,
            id="exit callback",
            marks=pytest.mark.skipif(
                (3, 12) <= sys.version_info < (3, 12, 3), reason="no thread, and so no pool, can be started there then"
            ),
        ),
    ],
)
def test_the_first_pool_is_observed_wherever_it_is_created(program: str, dsn: str) -> None:
    with_agent, _ = both(program, dsn=dsn)
    assert opened(with_agent) == {"first"}
    assert is_clean(with_agent)


@pytest.mark.matrix
@pytest.mark.per_python
@pytest.mark.parametrize("before", ["no pool", "a pool"])
def test_a_pool_that_is_created_while_the_interpreter_ends(before: str) -> None:
    program = """
        import builtins, os, sys
        from psycopg_pool import ConnectionPool

        if sys.argv[1] == "a pool":
            with ConnectionPool(NOT_OPENED, name="first"):
                pass

        class Late:
            def __init__(self, name):
                self.name, self.write, self.pool = name, os.write, ConnectionPool

            def __del__(self):
                try:
                    self.pool(NOT_OPENED)
                    outcome = "created"
                except BaseException as error:
                    outcome = type(error).__name__
                self.write(1, f"{self.name}: {outcome}\\n".encode())

        kept = Late("in a module")
        sys.kept = Late("in sys")
        builtins.kept = Late("in builtins")
        cycle = Late("in a cycle")
        cycle.itself = cycle
    """
    with_agent, _ = both(program, before)
    assert with_agent.stdout
    assert opened(with_agent) == ({"first"} if before == "a pool" else set())
    assert not failures(with_agent)


@pytest.mark.slow
def test_the_first_pool_near_the_recursion_limit() -> None:
    program = """
        import os, sys
        from psycopg_pool import ConnectionPool

        fewest = 0

        def depth():
            frame, count = sys._getframe(), 0
            while frame is not None:
                frame, count = frame.f_back, count + 1
            return count

        def attempt(room):
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(depth() + room)
            try:
                pool = ConnectionPool(NOT_OPENED)
            except RecursionError:
                return False
            finally:
                sys.setrecursionlimit(limit)
            return True

        for room in [*range(4, 80), *range(80, 800, 16)]:
            worked = attempt(room)
            if worked and not fewest:
                fewest = room
            assert worked == bool(fewest), room
        os.write(int(sys.argv[1]), b"%d\\n" % fewest)
        with ConnectionPool(NOT_OPENED, name="after"):
            print("done")
    """
    read, write = os.pipe()
    with os.fdopen(read) as counts:
        program = program.replace("NOT_OPENED", NOT_OPENED)
        on, off = (run(program, environment(**more), str(write), pass_fds=(write,)) for more in (ON, {}))
        os.close(write)
        with_agent, without = map(int, counts.read().split())
    assert (on.stdout, on.status, off.stdout) == (b"done\n", 0, b"done\n"), on.stderr
    assert with_agent <= without + 1, "the wrapper alone may take a frame"
    assert opened(on) == {"after"}
    assert is_clean(on)


GREENLETS = """
    from gevent import monkey
    monkey.patch_all()

    import os, sys, time
    import gevent
    from psycopg_pool import ConnectionPool

    def slow(event, args):  # another greenlet runs in the middle of the load
        if event == "exec" and getattr(args[0], "co_filename", "").endswith(os.path.join("runtime", "verdict.py")):
            time.sleep(0.1)

    sys.addaudithook(slow)

    def work(name):
        with ConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1, name=name) as pool:
            with pool.connection() as conn:
                return conn.execute("select 42").fetchone()

    jobs = [gevent.spawn(work, f"p{number}") for number in range(3)]
    print([job.get() for job in jobs])
"""


@pytest.mark.parametrize("marked", [pytest.param("gevent", marks=servers)])
def test_greenlets_that_create_their_first_pools_at_once(marked: str, dsn: str) -> None:
    needs(marked)
    with_agent, _ = both(GREENLETS, dsn=dsn)
    assert all_observed_or_reported(with_agent, {"p0", "p1", "p2"})
    assert len(with_agent.named("poolwitness.agent.started")) == 1
    assert with_agent.verdict == "clean"
    assert not with_agent.named("poolwitness.agent.part_disabled")


GUNICORN = """
    import os, signal, sys
    from gunicorn.app.base import BaseApplication

    pools = []

    def start(worker):
        from psycopg_pool import ConnectionPool
        pools.append(ConnectionPool(os.environ["DSN"], open=True, min_size=1, max_size=1))
        with pools[0].connection() as conn:
            print(conn.execute("select 42").fetchone(), flush=True)
        with open("started", "a+b", 0) as file:
            file.write(b".")
            if os.fstat(file.fileno()).st_size == 2:
                os.kill(os.getppid(), signal.SIGTERM)

    class Server(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", "127.0.0.1:0")
            self.cfg.set("workers", 2)
            self.cfg.set("accesslog", None)
            self.cfg.set("loglevel", "critical")
            self.cfg.set("preload_app", sys.argv[1] == "preload")
            self.cfg.set("post_worker_init", start)
            self.cfg.set("worker_exit", lambda server, worker: [pool.close() for pool in pools])

        def load(self):
            import psycopg_pool
            return lambda environ, start_response: []

    print(os.getpid(), flush=True, file=open("master", "w"))
    Server(sys.argv[:1]).run()
"""


@pytest.mark.parametrize("marked", [pytest.param("gunicorn", marks=servers)])
@pytest.mark.parametrize("how", ["preload", "no preload"])
def test_each_worker_of_gunicorn_loads_it_with_its_first_pool(marked: str, how: str, dsn: str) -> None:
    needs(marked)
    with_agent, _ = both(GUNICORN, how, dsn=dsn)
    assert with_agent.stdout == b"(42,)\n" * 2
    for event in ("poolwitness.agent.started", "poolwitness.pool.closed", "poolwitness.verdict"):
        found = with_agent.named(event)
        assert len(found) == len({one["process.pid"] for one in found}) == 2, event
    assert {event["poolwitness.verdict"] for event in with_agent.named("poolwitness.verdict")} == {"clean"}
    assert not failures(with_agent)


def needs(library: str) -> None:
    """Fail where a library is not installed that the servers' tests need."""
    if importlib.util.find_spec(library) is None:
        pytest.fail(f"{library} is not installed: pip install '.[servers]'")


# Several threads

# Runs in the middle of the load. Not a finder: that is called under the global import lock, for which a fork waits.
MEANWHILE = """
    import os, signal, sys, threading, time
    from psycopg_pool import ConnectionPool

    reached, go_on = threading.Event(), threading.Event()

    def in_the_middle(event, args):
        if event == "exec" and getattr(args[0], "co_filename", "").endswith(os.path.join("runtime", "verdict.py")):
            if not reached.is_set():
                reached.set()
                meanwhile()

    def create(name):
        with ConnectionPool(NOT_OPENED, name=name) as pool:
            return pool.closed

    def create_in_thread(name):
        thread = threading.Thread(target=lambda: (create(name), reached.set()))
        thread.start()
        reached.wait(30)
        return thread

    sys.addaudithook(in_the_middle)
"""


@pytest.mark.matrix
def test_threads_that_create_their_first_pools_at_once_are_all_observed() -> None:
    program = (
        MEANWHILE
        + """
    def meanwhile():
        time.sleep(0.1)

    start = threading.Barrier(8)
    threads = [threading.Thread(target=lambda name=f"p{n}": (start.wait(), create(name))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("done")
    """
    )
    with_agent, _ = both(program)
    assert len(with_agent.named("poolwitness.agent.started")) == 1
    assert all_observed_or_reported(with_agent, {f"p{number}" for number in range(8)})
    assert with_agent.verdict == "clean"


def test_a_thread_waits_for_five_seconds_at_most() -> None:
    program = (
        MEANWHILE
        + """
    def meanwhile():
        go_on.wait(30)

    thread = create_in_thread("first")
    started = time.monotonic()
    print(create("second"))
    took = time.monotonic() - started
    go_on.set()
    thread.join()
    print(create("third"), took < 15.0)
    if "poolwitness" in sys.modules:
        assert took > 4.9, took
    """
    )
    with_agent, _ = both(program)
    (failed,) = failures(with_agent)
    assert failed == STILL_LOADING
    assert opened(with_agent) == {"first", "third"}
    assert with_agent.verdict == "clean"


@pytest.mark.matrix
@needs_signals
def test_a_signal_handler_in_the_middle_of_the_load_creates_a_pool() -> None:
    program = (
        MEANWHILE
        + """
    signal.signal(signal.SIGUSR1, lambda number, frame: create("handler's"))
    meanwhile = lambda: signal.raise_signal(signal.SIGUSR1)
    print(create("first"))
    """
    )
    with_agent, _ = both(program)
    (failed,) = failures(with_agent)
    assert failed.startswith("this pool was created by the thread that is loading the agent, so it is not watched")
    assert opened(with_agent) == {"first"}
    assert with_agent.verdict == "clean"


# Forks


@pytest.mark.matrix
@pytest.mark.per_python
@needs_fork
def test_a_fork_waits_for_the_load_in_another_thread() -> None:
    program = (
        MEANWHILE
        + """
    def meanwhile():
        time.sleep(0.7)

    thread = create_in_thread("first")
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        print(create("child's"), flush=True)
        sys.exit(3)
    status = os.waitpid(pid, 0)[1]
    thread.join()
    print(status, create("after"))
    if "poolwitness" in sys.modules:
        from poolwitness.boot.first_pool import _first_pool
        free = []
        thread = threading.Thread(target=lambda: free.append(_first_pool._lock.acquire(blocking=False)))
        thread.start()
        thread.join()
        assert free == [True], "a fork costs nothing any more"
    """
    )
    with_agent, _ = both(program)
    assert with_agent.stdout == b"False\n768 False\n"
    assert opened(with_agent) == {"first", "child's", "after"}
    assert not failures(with_agent)
    verdicts = with_agent.named("poolwitness.verdict")
    assert [event["poolwitness.verdict"] for event in verdicts] == ["clean", "clean"]
    assert len({event["process.pid"] for event in verdicts}) == 2


@pytest.mark.matrix
@pytest.mark.per_python
@needs_fork
@pytest.mark.parametrize("child", ["ends there", "goes on"])
def test_a_child_that_the_loading_thread_forks_runs_without_the_agent(child: str) -> None:
    program = (
        MEANWHILE
        + """
    def meanwhile():
        global pid
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            if sys.argv[1] == "ends there":
                print("child", create("child's"), create("another"), flush=True)
                os._exit(3)

    pid = None
    create("first")
    if pid == 0:
        print("child", create("child's"), create("another"), flush=True)
        sys.exit(3)
    if pid is None:  # without the agent there is no load to fork in
        print("child False False")
    print("parent", os.waitpid(pid, 0)[1] if pid else 768, create("second"))
    """
    )
    with_agent, _ = both(program, child)
    (failed,) = with_agent.named("poolwitness.agent.failed")
    (verdict,) = with_agent.named("poolwitness.verdict")
    assert "so the agent is off in it; the program runs on without it" in failed["message"]
    assert failed["process.pid"] != verdict["process.pid"]
    assert {event["process.pid"] for event in with_agent.events} == {failed["process.pid"], verdict["process.pid"]}
    assert opened(with_agent) == {"first", "second"}
    assert verdict["poolwitness.verdict"] == "clean"


@pytest.mark.matrix
@pytest.mark.per_python
@needs_fork
@pytest.mark.parametrize("how", ["creates pools", "asks"])
def test_a_child_that_c_forks_in_the_middle_of_the_load_runs_without_the_agent(how: str) -> None:
    """No hook runs, and Python has the lock of the module that was being imported held forever in the child."""
    program = (
        MEANWHILE
        + """
    import ctypes

    def meanwhile():
        go_on.wait(30)

    thread = create_in_thread("first")
    if "poolwitness" not in sys.modules:
        thread.join()
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        signal.alarm(20)
        if sys.argv[1] == "asks":
            import poolwitness
            try:
                poolwitness.snapshot()
            except RuntimeError:
                pass
            poolwitness.deactivate()
        print(create("child's"), create("another"), flush=True)
        os._exit(3)
    status = os.waitpid(pid, 0)[1]
    go_on.set()
    thread.join()
    print(status, create("after"))
    """
    )
    with_agent, _ = both(program, how)
    (failed,) = with_agent.named("poolwitness.agent.failed")
    (verdict,) = with_agent.named("poolwitness.verdict")
    assert failed["message"].startswith("this process was forked while its parent was loading the agent")
    assert failed["process.pid"] != verdict["process.pid"]
    assert opened(with_agent) == {"first", "after"}
    assert verdict["poolwitness.verdict"] == "clean"


# deactivate()


def test_after_deactivate_the_hooks_are_inert_and_activate_works_again() -> None:
    program = f"""
        import os, sys
        import psycopg_pool, poolwitness
        from psycopg_pool import ConnectionPool

        originals = [vars(cls)["__init__"] for cls in (ConnectionPool, psycopg_pool.AsyncConnectionPool)]

        def create(name):
            with ConnectionPool({NOT_OPENED}, name=name):
                pass

        for turn in range(3):
            poolwitness.activate()
            wrapped = vars(ConnectionPool)["__init__"]
            if turn:
                create(f"on {{turn}}")
            poolwitness.deactivate()
            print([vars(cls)["__init__"] for cls in (ConnectionPool, psycopg_pool.AsyncConnectionPool)] == originals)
            create("off")
            wrapped(ConnectionPool.__new__(ConnectionPool), "", open=False)  # as if another library had wrapped it
            if hasattr(os, "fork"):
                pid = os.fork()
                if pid == 0:
                    create("off")
                    os._exit(0)
                os.waitpid(pid, 0)
    """
    ran = run(program, environment(PYTHONWARNINGS="ignore"))
    assert (ran.stdout, ran.own_stderr, ran.status) == (b"True\n" * 3, b"", 0)
    assert opened(ran) == {"on 1", "on 2"}
    assert not failures(ran)


def test_deactivated_in_the_middle_of_the_load() -> None:
    program = (
        MEANWHILE
        + """
    import poolwitness, psycopg_pool

    def meanwhile():
        go_on.wait(30)

    methods = {name: vars(ConnectionPool)[name] for name in vars(ConnectionPool)}
    thread = create_in_thread("first")
    poolwitness.deactivate()
    go_on.set()
    thread.join()
    changed = [name for name in methods if vars(ConnectionPool)[name] is not methods[name]]
    print(changed, vars(ConnectionPool)["__init__"] is methods["__init__"].__wrapped__, threading.active_count())
    """
    )
    ran = run(program.replace("NOT_OPENED", NOT_OPENED), environment(**ON))
    assert ran.stdout == b"['__init__'] True 1\n"
    assert ran.stderr == b""


# What is raised in the middle of the load

# As it is before the load, and must be again after one that failed.
STATE = """
    import atexit, os, signal, sys, threading
    import psycopg, psycopg_pool
    from psycopg_pool import ConnectionPool

    class SoftTimeLimit(Exception):
        pass

    def state():
        owners = (psycopg.Connection, psycopg.AsyncConnection, ConnectionPool, psycopg_pool.AsyncConnectionPool,
                  psycopg_pool.NullConnectionPool, psycopg_pool.AsyncNullConnectionPool)
        methods = {(owner.__name__, name): value for owner in owners for name, value in vars(owner).items()}
        signals = [signal.getsignal(number) for number in sorted(signal.valid_signals())]
        return methods, signals, sorted(os.listdir("/proc/self/fd")), threading.active_count(), atexit._ncallbacks()

    def difference(before, after):
        methods = [key for key in before[0].keys() | after[0].keys() if before[0].get(key) is not after[0].get(key)]
        return methods, [pair for pair in zip(before[1:], after[1:]) if pair[0] != pair[1]]

    NOTHING = [], []
"""
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no list of descriptors here")


@pytest.mark.matrix
@pytest.mark.per_python
@needs_signals
@needs_proc
@pytest.mark.parametrize(
    "error", ["SoftTimeLimit", "KeyboardInterrupt", "ZeroDivisionError", "OSError", "RecursionError"]
)
def test_what_a_signal_handler_raises_in_the_load_is_the_programs(error: str, tmp_path: Path) -> None:
    program = (
        STATE
        + """
    from pathlib import Path

    def handle(number, frame):
        raise {"SoftTimeLimit": SoftTimeLimit}.get(sys.argv[1]) or getattr(__builtins__, sys.argv[1])

    places = {"ledger.py", "registry.py", "_config.py", "pipeline.py", "verdict.py", "agent.py"}

    def in_the_middle(event, args):
        place = os.path.basename(getattr(args[0], "co_filename", "")) if event == "exec" else ""
        if place in places:
            places.remove(place)
            signal.raise_signal(signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, handle)
    sys.addaudithook(in_the_middle)
    before = state()
    while places:
        try:
            ConnectionPool(NOT_OPENED)
            print("never raised in", places)
            break
        except (Exception, KeyboardInterrupt) as error:
            assert type(error).__name__ == sys.argv[1], error
        assert difference(before, state()) == NOTHING, difference(before, state())
    with ConnectionPool(NOT_OPENED, name="after"):
        print("done")
    """
    )
    log = tmp_path / "log.jsonl"
    ran = run(
        program.replace("NOT_OPENED", NOT_OPENED), environment(**ON, POOLWITNESS_OUTPUT=f"stderr,file:{log}"), error
    )
    assert (ran.stdout, ran.own_stderr, ran.status) == (b"done\n", b"", 0)
    assert opened(ran) == {"after"}
    assert is_clean(ran)
    assert len(log.read_bytes().splitlines()) == len(ran.events)


@pytest.mark.slow
@needs_signals
def test_a_timer_that_fires_again_and_again() -> None:
    """Loads are interrupted somewhere, until one is faster than the timer."""
    program = (
        STATE
        + """
    def handle(number, frame):
        raise SoftTimeLimit

    signal.signal(signal.SIGALRM, handle)
    interrupted, delay_s = 0, 0.001
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, delay_s)
            pool = ConnectionPool(NOT_OPENED)
            signal.setitimer(signal.ITIMER_REAL, 0)
            break
        except SoftTimeLimit:
            interrupted += 1
            delay_s *= 1.15
    with ConnectionPool(NOT_OPENED, name="after"):
        print(interrupted > 0)
    """
    )
    ran = run(program.replace("NOT_OPENED", NOT_OPENED), environment(**ON))
    # One that lands in a callback of a weak reference, importlib's own among them, is printed by Python, and lost.
    assert (ran.stdout, ran.status) == (b"True\n", 0)
    assert opened(ran) == {"after"}
    assert is_clean(ran)


@pytest.mark.slow
@needs_proc
def test_what_a_trace_function_raises_in_any_line_of_the_load_is_the_programs() -> None:
    """Every line of the loader, and one in 37 of the others, with all modules loaded."""
    program = (
        STATE
        + """
    import poolwitness

    poolwitness.activate()
    from poolwitness.boot import first_pool as loader

    def trace(frame, event, arg):
        global left, where
        name = frame.f_globals.get("__name__", "")
        if event in ("call", "line") and name.startswith("poolwitness.") and loader._first_pool.pools is None:
            is_loader = name == loader.__name__
            left[is_loader] -= 1
            if not left[is_loader]:
                where = name, frame.f_code.co_name, frame.f_lineno
                raise SoftTimeLimit
        return trace

    rounds = 0
    for counts in (lambda n: [0, n], lambda n: [n * 37, 0]):
        for number in range(1, 100_000):
            poolwitness.activate()
            before = state()
            left, where = counts(number), None
            sys.settrace(trace)
            try:
                ConnectionPool(NOT_OPENED, name="traced")
                raised = False
            except SoftTimeLimit:
                raised = True
            sys.settrace(None)
            if where is None:
                poolwitness.deactivate()
                break
            rounds += 1
            if not raised:
                print("lost", where)
            # The last lines of the loader run when the load is complete.
            if loader._first_pool.pools is None and difference(before, state()) != NOTHING:
                print("left", where, difference(before, state()))
            with ConnectionPool(NOT_OPENED, name="after"):
                if "after" not in [pool.info.name for pool in poolwitness.snapshot().pools]:
                    print("not observed after", where)
            poolwitness.deactivate()
    print(rounds)
    """
    )
    ran = run(program.replace("NOT_OPENED", NOT_OPENED), environment(POOLWITNESS_OUTPUT="none"), timeout_s=200)
    assert (ran.stderr, ran.status) == (b"", 0)
    assert int(ran.stdout) > 60


BREAKS = """
    import sys, psycopg_pool

    class Breaks:
        def find_spec(self, name, path=None, target=None):
            if name == "poolwitness.runtime.verdict":
                raise getattr(__builtins__, sys.argv[1])

    def forbid(event, args):
        if event == "exec" and getattr(args[0], "co_filename", "").endswith("verdict.py"):
            raise getattr(__builtins__, sys.argv[1])

    if sys.argv[2] == "finder":
        sys.meta_path.insert(0, Breaks())
    elif sys.argv[2] == "audit hook":
        sys.addaudithook(forbid)
    else:
        sys.modules["poolwitness.runtime.verdict"] = None  # the import of it raises
    for turn in range(3):
        with psycopg_pool.ConnectionPool(NOT_OPENED) as pool:
            print(turn)
"""


@pytest.mark.parametrize("error", ["OSError", "ImportError", "ValueError"])
@pytest.mark.parametrize("where", ["module", "finder", "audit hook"])
def test_a_load_that_fails_leaves_the_program_alone(where: str, error: str) -> None:
    with_agent, _ = both(BREAKS, error, where)
    (event,) = with_agent.events
    assert event["event"] == "poolwitness.agent.failed"
    name = "ModuleNotFoundError" if where == "module" else error
    advice = "" if name == "ValueError" else ADVICE
    assert event["message"] == (
        f"this process could not load the agent ({name}), so the agent is off in it; the program runs on without it{advice}"
    )


# Files


@pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file cannot be moved on Windows")
@pytest.mark.parametrize("meanwhile", ["directory changed", "folder moved", "descriptors closed", "user changed"])
def test_a_file_is_opened_before_the_program_changes_what_it_may_open(meanwhile: str, tmp_path: Path) -> None:
    program = """
        import os, sys
        import psycopg_pool

        os.mkdir("elsewhere")
        others = []
        if sys.argv[1] == "directory changed":
            os.chdir("elsewhere")
        elif sys.argv[1] == "folder moved":
            os.rename("logs", "moved")
        elif sys.argv[1] == "descriptors closed":  # as a daemon does
            os.closerange(3, 256)
            others = [os.open(f"elsewhere/{number}", os.O_RDWR | os.O_CREAT) for number in range(8)]
            os.chdir("elsewhere")
        else:
            os.chmod("logs", 0o700)
            os.setuid(65534)
        with psycopg_pool.ConnectionPool(NOT_OPENED):
            print("pool")
        print([os.fstat(fd).st_size for fd in others])
    """.replace("NOT_OPENED", NOT_OPENED)
    if meanwhile == "user changed" and not _another_user_can_import():
        pytest.skip("needs root, and a Python that every user can read")
    program = "import os; os.chdir(os.environ['HOME'])\n" + textwrap.dedent(program)
    (tmp_path / "logs").mkdir()
    ran = run(program, environment(**ON, POOLWITNESS_OUTPUT="file:logs/agent.jsonl", HOME=str(tmp_path)), meanwhile)
    assert (ran.stderr, ran.status) == (b"", 0)
    assert ran.stdout == (b"pool\n[0, 0, 0, 0, 0, 0, 0, 0]\n" if meanwhile == "descriptors closed" else b"pool\n[]\n")
    log = tmp_path / ("moved" if meanwhile == "folder moved" else "logs") / "agent.jsonl"
    assert b'"poolwitness.verdict"' in log.read_bytes()


def _another_user_can_import() -> bool:
    if os.name != "posix" or os.geteuid() != 0:
        return False
    program = "import os; os.setuid(65534); import psutil, structlog, psycopg_pool, poolwitness.agent"
    return run(program, environment()).status == 0


# Later


EVERYTHING = """
    import asyncio, os, sys, threading, time
    import psycopg, psycopg_pool
    from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

    dsn = os.environ["DSN"]
    first = ConnectionPool(dsn, open=False, min_size=1, max_size=1, timeout=0.3, num_workers=1, name="first")
    out = int(sys.argv[2])
    sys.addaudithook(lambda event, args: os.write(out, args[0].encode() + b"\\n") if event == "import" else None)

    first.open()
    conn = first.getconn()
    try:
        first.getconn()  # PW201
    except PoolTimeout:
        print("refused")
    time.sleep(1.0)  # PW103
    conn.execute("create temporary table t (n int)")
    first.putconn(conn)  # PW104
    conn = first.getconn()
    conn.close()
    first.putconn(conn)  # PW105
    conn = first.getconn()
    del conn  # PW101

    failing = ConnectionPool("host=127.0.0.1 port=1 user=u password=secret", open=True, min_size=1, num_workers=1, name="failing")
    time.sleep(0.3)  # PW202

    async def main():
        pool = AsyncConnectionPool(dsn, open=False, min_size=1, num_workers=1, name="async")
        await pool.open()
        async with pool.connection() as conn:
            await conn.execute("select 1")
        await asyncio.sleep(0.3)

    asyncio.run(main())
    if "poolwitness" in sys.modules:
        import poolwitness
        poolwitness.snapshot(), poolwitness.findings()
    pid = os.fork()
    if pid == 0:
        try:
            first.getconn(timeout=0.1)  # PW401
        except PoolTimeout:
            pass
        os._exit(0)
    os.waitpid(pid, 0)
    if sys.argv[1] == "closed":
        first.close()
    failing.close()
    print("done")
"""


@needs_fork
@pytest.mark.parametrize("end", ["open", "closed"])
def test_after_the_first_pool_nothing_is_loaded_to_the_end(end: str, dsn: str, tmp_path: Path) -> None:
    """A program may fork at any later moment, while the agent's own thread is at work."""
    imported: list[set[Any]] = []
    for variables in ({}, {**ON, "POOLWITNESS_SWEEP_S": "0.1", "POOLWITNESS_HELD_S": "0.3"}):
        with open(tmp_path / "imported", "w+b") as file:
            env = environment(DSN=dsn, PYTHONWARNINGS="ignore", **variables)
            ran = run(EVERYTHING, env, end, str(file.fileno()), pass_fds=(file.fileno(),))
            file.seek(0)
            imported.append(set(file.read().split()))
        assert ran.stdout == b"refused\ndone\n", ran.stderr
    # What the program and psycopg import themselves they import without the agent too.
    assert imported[1] - imported[0] == set()
    assert {"PW103", "PW104", "PW105", "PW101", "PW201", "PW202", "PW401"} <= set(ran.rules)
    assert ran.verdict == "findings"
