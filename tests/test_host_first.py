"""DESIGN section 3, promise by promise: each test breaks when its promise does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import poolwitness
from tests.programs import Ran, environment, run, same

ON = {"POOLWITNESS": "1"}
# Names and layouts differ between releases of Python and psycopg_pool.
ON_THE_MATRIX = (pytest.mark.matrix, pytest.mark.once_a_python)
LEVELS = (
    pytest.param("exit", marks=ON_THE_MATRIX),
    pytest.param("watch", marks=pytest.mark.matrix),
    pytest.param("trace", marks=ON_THE_MATRIX),
)
SITE = str(Path(poolwitness.__file__).parent / "site")


def both(program: str, dsn: str = "", *, options: tuple[str, ...] = (), **variables: str) -> tuple[Ran, Ran]:
    """The program with the agent, and without."""
    env = environment(DSN=dsn)
    return run(program, {**env, **ON, **variables}, options=options), run(program, env, options=options)


# 1. The host's call comes first

FACE = """
    import asyncio, inspect, json, re, sys
    import psycopg, psycopg.adapt, psycopg_pool
    from psycopg_pool import sched

    def plain(value):
        return re.sub("0x[0-9a-f]+", "0x", str(value))

    def face(owner, name):
        raw = inspect.getattr_static(owner, name)
        function = getattr(owner, name)
        if not callable(function):
            return type(raw).__name__
        try:
            signature = plain(inspect.signature(function))
        except ValueError:
            signature = None
        return [
            type(raw).__name__,
            signature,
            plain(function),
            inspect.iscoroutinefunction(function),
            inspect.isasyncgenfunction(function),
            *(getattr(function, key, None) for key in ("__name__", "__qualname__", "__module__", "__doc__")),
            str(getattr(function, "__annotations__", None)),
            str(inspect.getfile(inspect.unwrap(function))) if inspect.isfunction(function) else None,
        ]

    owners = [psycopg.Connection, psycopg.AsyncConnection, psycopg.adapt.AdaptersMap, sched.Scheduler]
    schedulers = [sys.modules.get(name) for name in ("psycopg_pool.sched", "psycopg_pool.sched_async")]
    owners += [module.AsyncScheduler for module in schedulers if hasattr(module, "AsyncScheduler")]
    pools = [sys.modules.get(name) for name in ("psycopg_pool.pool", "psycopg_pool.pool_async")]
    owners += [module.MaintenanceTask for module in pools if hasattr(module, "MaintenanceTask")]
    owners += [value for value in vars(psycopg_pool).values() if inspect.isclass(value)]
    for owner in owners:
        for name in dir(owner):
            print(json.dumps([owner.__name__, name, face(owner, name)]))
    psycopg_pool.ConnectionPool(open=False)
"""


@pytest.mark.parametrize("level", LEVELS)
def test_patched_methods_look_as_before(level: str) -> None:
    with_agent, without = both(FACE, POOLWITNESS_LEVEL=level)
    (started,) = with_agent.named("poolwitness.agent.started")
    hooks = started["poolwitness.hooks"]
    assert "ConnectionPool.__init__" in hooks
    assert ("ConnectionPool.getconn" in hooks) == (level != "exit")
    for hook in hooks:
        owner, name = hook.split(".")
        assert f'["{owner}", "{name}"'.encode() in without.stdout, f"{hook} is not compared"
    same(with_agent, without)


VALUES = """
    import asyncio, os, re, threading, warnings
    import psycopg
    from psycopg_pool import *
    warnings.simplefilter("ignore")
    DSN = os.environ["DSN"]

    def seen(error):
        parts = type(error), error, error.args, repr(error.__cause__), repr(error.__context__), error.__suppress_context__
        last = error.__traceback__
        while last.tb_next:
            last = last.tb_next
        code = last.tb_frame.f_code
        # A call that does not fit its function fails in whoever calls it: that is our frame then.
        raised_in = "" if isinstance(error, TypeError) else (code.co_name, os.path.basename(code.co_filename))
        return re.sub("0x[0-9a-f]+", "0x", str([*map(str, parts), raised_in]))

    def told(call):
        try:
            return type(call()).__name__
        except BaseException as error:
            return seen(error)

    async def atold(call):
        try:
            return type(await call()).__name__
        except BaseException as error:
            return seen(error)

    class Stop(BaseException):
        pass

    class Own(ConnectionPool):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            if kwargs.get("name") == "stop":
                self.close()
                raise Stop("from a constructor")
        def close(self, timeout=1.0):
            return super().close(timeout)

    print(told(lambda: ConnectionPool(DSN, min_size=3, max_size=1)))
    print(told(lambda: ConnectionPool(DSN, open=False, nonsense=1)))
    print(told(lambda: Own(DSN, name="stop", open=True)))
    pool = Own(DSN, min_size=1, max_size=1, open=False, timeout=0.2, name="one")
    print(told(pool.getconn), pool.close(), told(pool.open), pool.wait(), pool.close())
    pool = ConnectionPool(DSN, min_size=1, max_size=1, open=False, timeout=0.2, name="two")
    print(pool.open(), pool.open(), pool.wait(), repr(pool).split(" at ")[0])
    conn = pool.getconn()
    print(type(conn), told(pool.getconn), told(lambda: pool.getconn(timeout=0.01)))
    print(told(lambda: pool.putconn("no connection")), pool.putconn(conn), told(lambda: pool.putconn(conn)))
    print(told(lambda: pool.connection().__enter__))
    with pool as same:
        print(same is pool)
        with pool.connection() as conn:
            print(conn.execute("select 1").fetchone())
    print(pool.close(), told(pool.getconn), told(lambda: pool.open()), told(lambda: pool.__enter__()), pool.closed)
    print(sorted(pool.get_stats()), sorted(pool.pop_stats()), pool.get_stats())
    null = NullConnectionPool(DSN, open=True, max_size=1, name="null", timeout=0.2)
    with null.connection() as conn:
        print(conn.execute("select 2").fetchone(), told(null.getconn))
    print(null.close())

    async def main():
        for cls in AsyncConnectionPool, AsyncNullConnectionPool:
            least = 1 if cls is AsyncConnectionPool else 0
            pool = cls(DSN, min_size=least, max_size=1, open=False, timeout=0.2, name="async")
            print(await atold(pool.getconn), await pool.open(), await pool.wait())
            async with pool as same:
                conn = await pool.getconn()
                print(same is pool, type(conn), await atold(pool.getconn), await pool.putconn(conn))
                async with pool.connection() as conn:
                    print(await (await conn.execute("select 3")).fetchone())
            print(await pool.close(), await atold(pool.getconn), await atold(pool.open), pool.closed)
        pool = AsyncConnectionPool(DSN, min_size=1, max_size=1, open=True, name="early", timeout=5)
        waiting = [asyncio.ensure_future(pool.getconn()) for _ in range(2)]
        while not any(task.done() for task in waiting):
            await asyncio.sleep(0.01)
        for task in waiting:
            if not task.done():
                task.cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        print(sorted(type(one).__name__ for one in done))
        for one in done:
            if isinstance(one, psycopg.AsyncConnection):
                await pool.putconn(one)
        await pool.close()
    asyncio.run(main())
    raise SystemExit(3)
"""


@pytest.mark.parametrize("level", LEVELS)
def test_values_and_exceptions_stay_what_they_were(level: str, dsn: str) -> None:
    with_agent, without = both(VALUES, dsn, POOLWITNESS_LEVEL=level)
    assert without.status == 3, without.stderr.decode()
    same(with_agent, without)
    assert not with_agent.named("poolwitness.agent.part_disabled")
    assert with_agent.verdict == "findings"


def test_the_host_s_call_is_made_once() -> None:
    program = """
        import psycopg_pool.pool as pool_module
        from psycopg_pool import base
        calls = []
        for owner in (pool_module.ConnectionPool,):
            for name in ("_open", "_signal_stop_worker", "_check_pool_putconn"):
                function = getattr(owner, name, None)
                if function is None:
                    continue
                def counting(*args, _function=function, _name=name, **kwargs):
                    calls.append(_name)
                    return _function(*args, **kwargs)
                setattr(owner, name, counting)
        class Counting(pool_module.ConnectionPool):
            def __init__(self, *args, **kwargs):
                calls.append("__init__")
                super().__init__(*args, **kwargs)
            def open(self, *args, **kwargs):
                calls.append("open")
                return super().open(*args, **kwargs)
            def close(self, *args, **kwargs):
                calls.append("close")
                return super().close(*args, **kwargs)
        with Counting("host=127.0.0.1 port=1 connect_timeout=1", open=False, min_size=0, max_size=1, num_workers=1):
            pass
        print(calls)
    """
    with_agent, without = both(program)
    assert without.stdout.count(b"'_open'") == 1
    same(with_agent, without)


# 2. What our lines raise stays ours, and a Ctrl-C goes through

INTERRUPTED = """
    import signal, sys, threading
    from psycopg_pool import ConnectionPool
    from poolwitness.runtime import lifecycle_events as announcing
    from poolwitness import hearing
    from poolwitness.ledger import ledger
    {where}
    interrupted = 0
    for turn in range(3):
        armed[:] = [turn == 1]
        try:
            with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, num_workers=1) as pool:
                pass
        except KeyboardInterrupt:
            interrupted += 1
            if "pool" in globals():
                pool.close()
    armed[:] = [False]
    print("interrupted", interrupted)
"""
PLACES = {
    "before the constructor": "ledger.Ledger.add",
    "while opening": "hearing.Hearing.opened",
    "while closing": "hearing.Hearing.closed",
    "while writing": "announcing.LifecycleEvents.opened",
}


@pytest.mark.parametrize("target", PLACES.values(), ids=PLACES)
def test_a_ctrl_c_in_our_lines_is_the_hosts(target: str) -> None:
    owner, name = target.rsplit(".", 1)
    where = f"""
    armed = []
    original = {target}
    def interrupting(*args, **kwargs):
        if armed == [True]:
            armed.clear()
            raise KeyboardInterrupt
        return original(*args, **kwargs)
    {owner}.{name} = interrupting
    """
    ran = run(INTERRUPTED.format(where=where), environment(**ON))
    assert ran.stdout == b"interrupted 1\n"
    assert ran.status == 0
    assert not ran.named("poolwitness.agent.part_disabled")
    (verdict,) = ran.named("poolwitness.verdict")
    assert verdict["poolwitness.pools_open"] == 0, "our state was left whole"


def test_a_real_ctrl_c_ends_the_program_as_ever(dsn: str) -> None:
    program = """
        import os, signal
        from psycopg_pool import ConnectionPool
        with ConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1) as pool:
            with pool.connection() as conn:
                os.kill(os.getpid(), signal.SIGINT)
                conn.execute("select pg_sleep(60)")
    """
    with_agent, without = both(program, dsn)
    assert without.status == -2
    assert (with_agent.stdout, with_agent.status) == (without.stdout, without.status)
    assert b"KeyboardInterrupt" in with_agent.own_stderr
    assert with_agent.verdict == "clean"


# 3. Off costs nothing

MODULES = "import sys; print(*sorted(sys.modules))"


def modules(program: str = MODULES, *options: str, **variables: str) -> set[str]:
    """What an interpreter has imported by its end."""
    return set(run(program, environment(**variables), options=options).stdout.decode().split())


def test_off_imports_nothing() -> None:
    # Without site no .pth is read: what else site imports here is not ours.
    bare = modules("import site; site.main(); " + MODULES, "-I", "-S")
    for off in ({}, {"POOLWITNESS": ""}, {"POOLWITNESS": "0"}):
        found = modules(MODULES, "-I", **off)
        assert not {name for name in found if name.startswith("poolwitness")}
        assert found <= bare


def test_off_the_site_folder_imports_nothing() -> None:
    plain = modules()
    assert modules(PYTHONPATH=SITE) - plain <= {"sitecustomize"}


@pytest.mark.parametrize("variables", [{}, {"PYTHONPATH": SITE}], ids=["pth", "pth and sitedir"])
def test_on_without_a_pool_imports_the_finder_alone(variables: dict[str, str]) -> None:
    more = modules(**ON, **variables) - modules(**variables)
    # atexit is a part of the interpreter itself.
    assert more - {"atexit"} == {"poolwitness", "poolwitness.boot", "poolwitness.boot.import_hook"}


@pytest.mark.matrix
def test_on_without_a_pool_nothing_else_is_there() -> None:
    program = """
        import atexit, signal, sys, threading
        print(threading.active_count(), [signal.getsignal(number) for number in sorted(signal.valid_signals())])
        print(sys.excepthook, sys.unraisablehook, threading.excepthook, sys.getprofile(), sys.gettrace())
    """
    with_agent, without = both(program)
    same(with_agent, without)
    assert with_agent.stderr == b""


def test_libraries_are_imported_after_the_programs_own() -> None:
    program = """
        import sys
        for name in ("structlog", "psutil", "json"):
            sys.modules.pop(name, None)
        import psycopg
        print(sorted({"structlog", "psutil"} & set(sys.modules)))
        import psycopg_pool
        print(sorted({"structlog", "psutil"} & set(sys.modules)))
    """
    assert run(program, environment(**ON)).stdout == b"[]\n['psutil', 'structlog']\n"


# 4. Nothing on stdout, no signal handler, no thread of ours before a sync pool opens


@pytest.mark.matrix
def test_nothing_is_installed_that_the_program_did_not_ask_for(dsn: str) -> None:
    program = """
        import asyncio, os, signal, sys, threading
        def hooks():
            numbers = sorted(signal.valid_signals())
            return [signal.getsignal(number) for number in numbers], sys.excepthook, threading.excepthook, sys.unraisablehook
        def threads():
            return sorted(thread.name for thread in threading.enumerate()), all(
                thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
        before = hooks()
        from psycopg_pool import AsyncConnectionPool, ConnectionPool
        print(threads())
        pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1, name="sync")
        print(threads())
        async def main():
            async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1) as apool:
                async with apool.connection() as conn:
                    await conn.execute("select 1")
                print(threads())
        asyncio.run(main())
        print(hooks() == before)
        with pool:
            print(threads()[1])
        print(hooks() == before)
    """
    with_agent, without = both(program, dsn)
    same(with_agent, without)


def test_the_sweeper_is_a_daemon_and_ends_before_the_interpreter(dsn: str) -> None:
    program = """
        import atexit, os, threading
        def names():
            return [(thread.name, thread.daemon) for thread in threading.enumerate() if "poolwitness" in thread.name]
        from psycopg_pool import ConnectionPool
        with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
            print(names())
        class Late:
            def __del__(self, names=names, print=print):
                print(names())
        late = Late()
    """
    ran = run(program, environment(DSN=dsn, **ON))
    assert ran.stdout == b"[('poolwitness-sweeper', True)]\n[]\n"


# 5. Weak references only


@pytest.mark.parametrize("level", LEVELS)
def test_a_pool_and_a_connection_die_when_they_would_have_died(level: str, dsn: str) -> None:
    program = """
        import asyncio, gc, os, sys, weakref
        gc.disable()
        from psycopg_pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool, PoolClosed, PoolTimeout
        DSN = os.environ["DSN"]
        for cls in ConnectionPool, NullConnectionPool:
            least = 1 if cls is ConnectionPool else 0
            pool = cls(DSN, min_size=least, max_size=1, open=False, timeout=0.2)
            print(sys.getrefcount(pool), len(gc.get_referrers(pool)))
            pool.open()
            conn = pool.getconn()
            died = weakref.ref(conn), weakref.ref(pool)
            print(sys.getrefcount(conn), sys.getrefcount(pool))
            pool.putconn(conn)
            print(sys.getrefcount(conn), sys.getrefcount(pool))
            pool.close()
            print(sys.getrefcount(conn), sys.getrefcount(pool))
            del conn
            print(died[0]() is None)
            del pool
            print(died[1]() is None)
        pool = ConnectionPool(DSN, min_size=1, max_size=1, open=True, timeout=0.2)
        conn = pool.getconn()
        died = weakref.ref(conn), weakref.ref(pool)
        for refusal in PoolTimeout, PoolClosed:
            try:
                pool.getconn()
            except refusal:
                pass
            pool.close()
        pool.putconn(conn)
        del pool, conn
        gc.collect()  # psycopg's own exceptions are in cycles
        print(died[0]() is None, died[1]() is None)
        dropped = ConnectionPool(DSN, min_size=0, max_size=1, open=True, num_workers=1)
        died = weakref.ref(dropped)
        del dropped
        print(died() is None)
        async def main():
            pool = AsyncConnectionPool(DSN, min_size=1, max_size=1, open=False)
            await pool.open()
            conn = await pool.getconn()
            died = weakref.ref(conn), weakref.ref(pool)
            await pool.putconn(conn)
            del conn
            await pool.close()
            print(sys.getrefcount(pool), died[0]() is None)
            del pool
            await asyncio.sleep(0)
            print(died[1]() is None)
        asyncio.run(main())
    """
    with_agent, without = both(program, dsn, POOLWITNESS_LEVEL=level)
    same(with_agent, without)
    assert not with_agent.named("poolwitness.agent.part_disabled")


# 9. The application's structlog


def test_structlog_stays_as_the_application_has_it() -> None:
    program = """
        import structlog
        before = structlog.get_config()
        kept = {name: list(value) if isinstance(value, list) else value for name, value in before.items()}
        print(structlog.is_configured())
        from psycopg_pool import ConnectionPool
        pool = ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1)
        print(structlog.is_configured(), structlog.get_config() == kept)
        seen = []
        structlog.configure(processors=[lambda _, __, event: seen.append(event) or ""], logger_factory=lambda *args: 1 / 0)
        with pool:
            pass
        print(seen, structlog.is_configured())
    """
    with_agent, without = both(program)
    same(with_agent, without)
    assert with_agent.verdict == "clean"
    assert not with_agent.named("poolwitness.agent.part_disabled")


# 10. deactivate() leaves the program as it was found

IN_CODE = """
    import atexit, json, os, sys, threading
    import psycopg, poolwitness
    {imported}
    def state():
        owners = [psycopg.Connection, psycopg.AsyncConnection]
        pools = sys.modules.get("psycopg_pool")
        if pools is not None:
            owners += [pools.ConnectionPool, pools.AsyncConnectionPool, pools.NullConnectionPool, pools.AsyncNullConnectionPool]
            owners += [pools.sched.Scheduler] if hasattr(pools, "sched") else []
        return (
            {{owner.__name__: dict(owner.__dict__) for owner in owners}},
            list(sys.meta_path), list(threading.enumerate()), len(os.listdir("/proc/self/fd")),
        )
    def compare(before, after):
        for name in before[0]:
            for key in before[0][name].keys() | after[0][name].keys():
                if before[0][name].get(key) is not after[0][name].get(key):
                    print("differs:", name, key)
        print(before[1:] == after[1:])
"""


def test_deactivated_before_the_import() -> None:
    program = (
        IN_CODE.format(imported="")
        + """
    before = state()
    callbacks = atexit._ncallbacks()
    poolwitness.activate(level="trace")
    print(len(sys.meta_path) - len(before[1]), atexit._ncallbacks() - callbacks)
    poolwitness.deactivate()
    compare(before, state())
    import psycopg_pool
    print("poolwitness.agent" in sys.modules)
    """
    )
    ran = run(program, environment())
    assert ran.stdout == b"1 1\nTrue\nFalse\n"
    assert ran.stderr == b""


@pytest.mark.matrix
def test_deactivated_with_pools_alive(dsn: str) -> None:
    program = (
        IN_CODE.format(imported="import psycopg_pool")
        + """
    from psycopg_pool import ConnectionPool
    pools = []
    before = state()
    for turn in range(10):
        poolwitness.activate(sweep_s="0.01")
        changed = sum(dict(owner.__dict__) != before[0][owner.__name__] for owner in (ConnectionPool, psycopg_pool.AsyncConnectionPool))
        pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True, num_workers=1)
        pools.append(pool)
        conns = [one.getconn() for one in pools]
        poolwitness.deactivate()
        for one, conn in zip(pools, conns):
            conn.execute("select 1")
            conn.commit()
            one.putconn(conn)
        assert changed == 2, changed
    poolwitness.deactivate()
    print(sum("poolwitness" in thread.name for thread in threading.enumerate()))
    for pool in pools:
        with pool.connection() as conn:
            conn.execute("select 1")
        pool.close()
    compare(before, state())
    """
    )
    ran = run(program, environment(DSN=dsn))
    assert ran.own_stderr == b""
    assert ran.stdout == b"0\nTrue\n"
    assert len(ran.named("poolwitness.agent.started")) == 10
    assert not ran.named("poolwitness.verdict")
    assert not ran.named("poolwitness.agent.part_disabled")


def test_what_somebody_else_patched_since_is_left_alone() -> None:
    program = """
        import poolwitness, psycopg_pool
        poolwitness.activate()
        ours = psycopg_pool.ConnectionPool.close
        def close(self, timeout=5.0):
            return ours(self, timeout)
        psycopg_pool.ConnectionPool.close = close
        poolwitness.deactivate()
        print(psycopg_pool.ConnectionPool.close is close)
        with psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1) as pool:
            pass
        print(pool.closed)
    """
    ran = run(program, environment())
    assert (ran.stdout, ran.stderr, ran.status) == (b"True\nTrue\n", b"", 0)


# Booting twice is booting once


@pytest.fixture(scope="module")
def hooks_of_one_boot() -> list[str]:
    """What is patched, by psycopg_pool's own names; a method may be wrapped for two reasons."""
    ran = run("import psycopg_pool; psycopg_pool.ConnectionPool(open=False)", environment(**ON))
    (started,) = ran.named("poolwitness.agent.started")
    hooks: list[str] = started["poolwitness.hooks"]
    return hooks


@pytest.mark.parametrize("in_code", [False, True])
@pytest.mark.parametrize("variables", [{}, {"PYTHONPATH": SITE}], ids=["pth", "pth and sitedir"])
def test_however_often_booted_it_starts_once(
    variables: dict[str, str], in_code: bool, hooks_of_one_boot: list[str]
) -> None:
    activate = "poolwitness.activate(); poolwitness.activate(level='exit');" if in_code else ""
    program = f"""
        import poolwitness, sys
        {activate}
        from psycopg_pool import ConnectionPool
        {activate}
        from poolwitness.boot import boot
        boot("pth"); boot("sitecustomize")
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1) as pool:
            pass
        print(len([finder for finder in sys.meta_path if "poolwitness" in type(finder).__module__]))
    """
    ran = run(program, environment(**ON, **variables))
    assert ran.stdout == b"0\n"
    assert ran.stderr.count(b'"poolwitness.agent.started"') == 1
    assert ran.stderr.count(b'"poolwitness.pool.opened"') == 1
    assert ran.stderr.count(b'"poolwitness.verdict"') <= 2
    assert len(ran.named("poolwitness.verdict")) == 1
    (started,) = ran.named("poolwitness.agent.started")
    assert started["poolwitness.hooks"] == hooks_of_one_boot
    assert started["poolwitness.setting.level"] == "watch"


# The import of psycopg_pool is the program's


@pytest.mark.matrix
def test_the_import_is_as_it_was() -> None:
    program = """
        import importlib.util, sys
        spec = importlib.util.find_spec("psycopg_pool")
        print(spec.name, type(spec.loader).__name__, "psycopg_pool" in sys.modules)
        import psycopg_pool
        print(psycopg_pool.__spec__.loader.__dict__.keys(), psycopg_pool.__loader__ is psycopg_pool.__spec__.loader)
        print([type(finder) for finder in sys.meta_path], psycopg_pool.__spec__ == spec)
    """
    with_agent, without = both(program)
    same(with_agent, without)


def test_another_import_hook_in_front_that_asks_everybody() -> None:
    program = """
        import sys
        class Asks:
            def find_spec(self, name, path=None, target=None):
                if name != "psycopg_pool":
                    return None
                for finder in sys.meta_path:
                    if finder is not self:
                        spec = finder.find_spec(name, path, target)
                        if spec is not None:
                            return spec
        sys.meta_path.insert(0, Asks())
        from psycopg_pool import ConnectionPool
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1):
            print("opened")
    """
    with_agent, without = both(program)
    same(with_agent, without)
    assert with_agent.verdict == "clean"


def test_a_missing_library_is_told_and_the_program_runs_on() -> None:
    program = """
        import sys
        sys.modules["{library}"] = None
        from psycopg_pool import ConnectionPool
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1):
            print("opened")
    """
    for library in ("structlog", "psutil"):
        with_agent, without = both(program.format(library=library))
        same(with_agent, without)
        (event,) = with_agent.events
        assert "ModuleNotFoundError" in event["message"]


@pytest.mark.parametrize(
    "ending", ["raise RuntimeError('host')", "import sys; sys.exit(7)", "import os; os._exit(4)", "1/0"]
)
def test_an_import_of_the_program_that_fails_fails_the_same(ending: str, tmp_path: Path) -> None:
    package = tmp_path / "psycopg_pool"
    package.mkdir()
    (package / "__init__.py").write_text(ending + "\n")
    with_agent, without = (
        subprocess.run(
            [sys.executable, "-c", "import psycopg_pool"],
            env=environment(PYTHONPATH=str(tmp_path), **variables),
            capture_output=True,
            timeout=60,
            check=False,
        )
        for variables in (ON, {})
    )
    assert with_agent.returncode == without.returncode
    assert with_agent.stdout == without.stdout
    assert b"poolwitness" not in with_agent.stderr.splitlines()[-1:] or not with_agent.stderr
