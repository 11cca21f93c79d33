"""The host's call comes first and stays as it is; an exception of the host's in our lines propagates."""

from __future__ import annotations

import pytest

from tests.support.levels import LEVELS
from tests.support.programs import ON, both, environment, run, same

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
    from poolwitness.ledger import ledger
    from poolwitness.runtime import checks, reporter
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
    "while opening": "checks.RuleChecks.pool_opened",
    "while closing": "checks.RuleChecks.pool_closed",
    "while writing": "reporter.Reporter.emit",
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
