"""What programs do with pools, in a second: run by `fork_server` with and without the agent.

With the argument ``rich`` it does everything once; with ``close`` it leaves pools open, to be closed by
POOLWITNESS_CLOSE; with ``late`` it leaves one open whose ``__del__`` holds up the exit.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
import warnings

import psycopg
from psycopg_pool import (
    AsyncConnectionPool,
    AsyncNullConnectionPool,
    ConnectionPool,
    NullConnectionPool,
    PoolClosed,
    PoolTimeout,
)

DSN = os.environ["DSN"]
warnings.simplefilter("ignore")
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
logging.getLogger("poolwitness").addHandler(logging.NullHandler())
logging.getLogger("poolwitness").propagate = False


def told(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def make(name, cls=ConnectionPool, **settings):
    usual = {"min_size": 0, "max_size": 1, "num_workers": 1, "timeout": 0.05, "open": False}
    return cls(DSN, name=name, **{**usual, **settings})


def until_idle(pool):
    # A lock that one of its threads has just then is never released in a forked child, which would close the pool
    # for ever, with the agent or without.
    for condition in (pool._sched._event._cond, pool._tasks.not_empty):
        while not condition._waiters:
            time.sleep(0.001)
        with condition:
            pass


def child():
    with make("of the parent", min_size=1, timeout=30) as parents:
        parents.wait()
        until_idle(parents)
        pid = os.fork()
        if pid:
            print("child", os.waitpid(pid, 0)[1])
            return
        with parents.connection() as conn:
            print(conn.execute("select 'the parent''s'").fetchone(), flush=True)
    with make("of the child") as pool, pool.connection(timeout=30) as conn:
        print(conn.execute("select 'child'").fetchone(), flush=True)
    sys.exit(0)


# Waiting for frozen threads would take 5 s each. In a namespace of its own: a frozen worker's frame keeps the
# functions of its class alive, and what their globals reach is never finalized.
SLOW_FINALIZER = """
import sys, time
def replacing(signal_stop, seconds):
    def _signal_stop_worker(self):
        if not sys.is_finalizing():
            return signal_stop(self)
        time.sleep(seconds)
        return []
    return _signal_stop_worker
"""


def leave_open(seconds):
    namespace = {}
    exec(SLOW_FINALIZER, namespace)
    ConnectionPool._signal_stop_worker = namespace["replacing"](ConnectionPool._signal_stop_worker, seconds)
    return make("left open", open=True)


def checkouts():
    with make("worked", max_size=2, min_size=1, timeout=30, check=ConnectionPool.check_connection) as pool:
        pool.wait()
        with pool.connection() as conn:
            print(conn.execute("select 'sync'").fetchone())
            with pool.connection() as inner:
                print(inner.execute("select 'nested'").fetchone())
        for _ in range(30):
            with pool.connection() as conn:
                conn.adapters.register_loader("int4", psycopg.types.numeric.IntLoader)
        conn = pool.getconn()
        conn.execute("select 'in a transaction'")
        pool.putconn(conn)
        conn = pool.getconn()
        conn.close()
        pool.putconn(conn)
        conn = pool.getconn()
        time.sleep(0.2)  # longer than POOLWITNESS_HELD_S
        pool.putconn(conn)
    print(told(pool.getconn), told(pool.open))


def refusals():
    with make("exhausted", min_size=1) as pool:
        pool.wait()
        conn = pool.getconn()
        print(told(pool.getconn), told(lambda: pool.putconn("nothing")))
        del conn
        gc.collect()
        print(told(pool.getconn))
    null = make("null", NullConnectionPool, open=True, timeout=30)
    with null.connection() as conn:
        print(conn.execute("select 'null'").fetchone())
    null.close()
    print(told(lambda: make("wrong", min_size=3)))


def give_up(pool):
    sys.exit("silently")


def deaths():
    def drop():
        make("dropped", open=True)

    drop()
    pool = ConnectionPool(
        "host=127.0.0.1 port=1 password=hunter2",
        open=True,
        min_size=1,
        num_workers=1,
        reconnect_timeout=0.01,
        reconnect_failed=give_up,
    )
    worker = pool._workers[0]
    worker.join(10)
    print("worker alive", worker.is_alive())
    pool.close()
    crowd = [make(f"one of many {number}", open=True) for number in range(10)]
    for one in crowd:
        one.close()


async def asynchronous():
    async with make("async", AsyncConnectionPool, min_size=1, timeout=30) as pool:
        await pool.wait()
        async with pool.connection() as conn:
            print(await (await conn.execute("select 'async'")).fetchone())
            try:
                await pool.getconn(timeout=0.05)
            except PoolTimeout as error:
                print(error)
            waiting = asyncio.ensure_future(pool.getconn())
            while not pool.get_stats().get("requests_waiting"):
                await asyncio.sleep(0.01)
            await pool.close()
            try:
                await waiting
            except PoolClosed as error:
                print(error)
        try:
            await pool.getconn()
        except PoolClosed as error:
            print(error)
    null = make("async null", AsyncNullConnectionPool, timeout=30)
    async with null, null.connection() as conn:
        print(await (await conn.execute("select 'async null'")).fetchone())
    early = make("early", AsyncConnectionPool, open=True)
    await asyncio.sleep(0.1)  # longer than POOLWITNESS_SWEEP_S
    await early.close()


async def opened(pool):
    await pool.open()
    return pool


async def asked(pool):
    try:
        await pool.getconn()
    except PoolTimeout as error:
        print(error)


def loops():
    pool = asyncio.run(opened(make("of another loop", AsyncConnectionPool)))
    asyncio.run(asked(pool))


if sys.argv[1] == "rich":
    child()
    loops()
    checkouts()
    if signal.getsignal(signal.SIGUSR2) is not signal.SIG_DFL:  # POOLWITNESS_SIGNAL
        os.kill(os.getpid(), signal.SIGUSR2)
    refusals()
    deaths()
    asyncio.run(asynchronous())
    left = leave_open(seconds=0.0)
elif sys.argv[1] == "late":
    left = leave_open(seconds=1.1)
else:
    left = make("left open", open=True, min_size=1)
    left.wait()
    taken = left.getconn()
    never = make("never opened")

    async def leave():
        pool = make("async, left open", AsyncConnectionPool)
        await pool.open()
        return pool

    left_async = asyncio.run(leave())
print("over")
