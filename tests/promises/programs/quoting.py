"""A program whose exceptions quote the values that it is given, in every place where the agent sees an exception.

Its own output is silenced. Run with ``killed`` it dies of SIGKILL; otherwise its main thread ends by an exception, and the
process goes on for a while.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
import warnings

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

warnings.simplefilter("ignore")
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
threading.excepthook = sys.excepthook = lambda *_: None

DSN = os.environ["DSN"]
VALUES = json.loads(os.environ["VALUES"])
USUAL = {"min_size": 1, "num_workers": 1, "reconnect_timeout": 0.01, "timeout": 0.05}


class Fatal(BaseException):
    pass


def raises(value, error=RuntimeError):
    def callback(*_):
        raise error(value)

    return callback


def queries(value):
    def callback(conn):
        conn.execute("select (%s::text)::int", (value,))

    return callback


def refuses(value):
    class Refusing(psycopg.Connection):
        @classmethod
        def connect(cls, *args, **kwargs):
            raise psycopg.OperationalError(f"connection refused for {value}")

    return Refusing


def asks(value):
    class Asking(psycopg.Connection):
        @classmethod
        def connect(cls, *args, **kwargs):
            conn = super().connect(*args, **kwargs)
            conn.execute("select (%s::text)::int", (value,))

    return Asking


def attempts(pool):
    deadline = time.monotonic() + 10
    while not pool.get_stats().get("connections_num") and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    try:
        pool.getconn()
    except PoolTimeout as error:
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
    except Exception:
        pass


def returns(pool):
    try:
        conn = pool.getconn(0.5)
        conn.execute("select %s", ("hidden",))
        pool.putconn(conn)
    except Exception:
        pass
    time.sleep(0.05)


async def asynchronous(value):
    async def callback(conn):
        await conn.execute("select (%s::text)::int", (value,))

    pool = AsyncConnectionPool(DSN, open=False, configure=callback, **USUAL)
    await pool.open()
    try:
        await pool.getconn()
    except PoolTimeout as error:
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
    await pool.close()


pools = []
for value in VALUES:
    failing = [
        {"configure": raises(value)},
        {"configure": raises(value, psycopg.OperationalError)},
        {"configure": queries(value)},
        {"connection_class": refuses(value)},
        {"connection_class": asks(value)},
        {"conninfo": f"host=127.0.0.1 port=1 password={value}"},
        {"conninfo": f"postgresql://bob:{value}@127.0.0.1:1/shop"},
        {"conninfo": f"{value}"},
        {"conninfo": DSN, "kwargs": {"options": f"-c {value}={value}"}},
        {"conninfo": DSN, "kwargs": {"dbname": "no_such_shop", "application_name": value.replace("\0", "")}},
        {"conninfo": "host=127.0.0.1 port=1", "reconnect_failed": raises(value, Fatal)},
        {"configure": raises(value, Fatal)},
    ]
    if psycopg.__version__ >= "3.3":
        failing += [{"conninfo": raises(value)}, {"kwargs": raises(value)}]
    for settings in failing:
        try:
            pool = ConnectionPool(open=True, **{"conninfo": DSN, **USUAL, **settings})
        except Exception:
            continue
        attempts(pool)
        pools.append(pool)
    for settings in (
        {"check": raises(value)},
        {"check": queries(value)},
        {"reset": raises(value)},
        {"reset": queries(value)},
    ):
        try:
            pool = ConnectionPool(DSN, open=True, **{**USUAL, **settings})
        except TypeError:
            continue  # psycopg_pool before 3.2 has no check=
        returns(pool)
        pools.append(pool)
    asyncio.run(asynchronous(value))
live = ConnectionPool(DSN, min_size=1, max_size=1, num_workers=1, open=True)
conn = live.getconn()
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[1:] == ["killed"]:
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=time.sleep, args=(2,)).start()
raise ValueError(VALUES[0])
