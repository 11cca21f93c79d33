"""A program that carries its passwords in every way there is, and lets them get into exceptions.

Run with the argument ``late`` it leaves one pool to the interpreter's end. Its own output is silenced.
"""

import asyncio
import logging
import os
import sys
import threading
import time
import warnings

from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed, PoolTimeout

warnings.simplefilter("ignore")
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)

if os.environ.get("LOG_TO"):
    # What a structured application logs of a record: all of it.
    class Everything(logging.Formatter):
        def format(self, record):
            # The thread's name is psycopg_pool's, made of the pool's: no word of ours.
            record.threadName = record.taskName = ""  # psycopg_pool and the program gave those names: no words of ours
            return repr(vars(record)) + super().format(record)

    handler = logging.FileHandler(os.environ["LOG_TO"], encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(Everything())
    logging.getLogger("poolwitness").addHandler(handler)
    logging.getLogger("poolwitness").setLevel(logging.INFO)
    logging.getLogger("poolwitness").propagate = False
    import structlog

    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(file=open(os.environ["LOG_TO"] + ".structlog", "w")),
    )

SECRET = "hunter2secret"
NOWHERE = "host=127.0.0.1 port=1"
PLAIN = f"{NOWHERE} user=bob password={SECRET}"
# A port is what is left of a password with a slash in it.
NUMBER = "31337"


class Fatal(BaseException):
    pass


def give_up(pool):
    bare = pool.conninfo == PLAIN or pool.kwargs == {"password": SECRET} or "PGPASSWORD" in os.environ
    told = SECRET if bare or callable(pool.conninfo) or callable(pool.kwargs) else "what it was given"
    raise Fatal(f"no connection with {told}, {pool.conninfo!r}, {pool.kwargs!r}")


def dies(conninfo=NOWHERE, **settings):
    usual = {"min_size": 1, "num_workers": 1, "reconnect_timeout": 0.01, "reconnect_failed": give_up}
    pool = ConnectionPool(conninfo, open=True, **{**usual, **settings})
    pool._workers[0].join(10)
    return pool


# In namespaces of their own: what reaches this module's names keeps the pools from being finalized.
namespace = {}
exec("import time\ndef ignore(told):\n    pass\ndef stop(self):\n    time.sleep(1.1)\n    return []\n", namespace)
threading.excepthook = namespace["ignore"]


class Refusing(dict):
    def items(self):
        raise RuntimeError(SECRET)

    def get(self, *_):
        raise RuntimeError(SECRET)

    __getitem__ = __contains__ = get


pools = [
    dies(PLAIN),
    dies(f"{NOWHERE} user=bob password='{SECRET} and more'"),
    dies(f"{NOWHERE} user=bob password = 'it\\'s {SECRET}'"),
    dies(f"{NOWHERE} user=bob sslpassword={SECRET}"),
    dies(f"postgresql://bob:{SECRET}@127.0.0.1:1/shop"),
    dies(f"postgresql://bob:%68unter2{SECRET}@127.0.0.1:1/shop"),
    dies(f"postgresql://127.0.0.1:1/shop?user=bob&password={SECRET}"),
    dies(f"postgresql://bob:a@{SECRET}@127.0.0.1:1/shop"),
    dies(f"postgresql://bob:{SECRET}/x@127.0.0.1:1/shop"),
    dies(f"postgresql://bob:{NUMBER}/{SECRET}@127.0.0.1:1/shop"),
    dies(f"{NOWHERE} password={SECRET} with spaces"),
    dies(f"{NOWHERE} passwort={SECRET}"),
    dies(f"not a conninfo but {SECRET}"),
    dies(kwargs={"password": SECRET}),
    dies(kwargs={"dbname": f"postgresql://bob:{SECRET}@127.0.0.1:1/shop"}),
    dies(kwargs={"dbname": f"host=127.0.0.1 port=1 password={SECRET}"}),
    dies(kwargs={"host": f"bob:{SECRET}@127.0.0.1"}),
    dies(kwargs={"user": f"bob password={SECRET}"}),
    dies(kwargs=Refusing(password=SECRET)),
    dies(f"{NOWHERE} password={SECRET}", name=f"{NOWHERE} password={SECRET}"),
    dies(f"{NOWHERE} password={SECRET}", name=f"postgresql://bob:{SECRET}@db/shop"),
    dies(f"{NOWHERE} password={SECRET}", name="postgresql://bob:" + SECRET * 20 + "@db/shop"),
    dies(f"{NOWHERE} password={SECRET}", name="pool for \n password: " + SECRET),
]
os.environ["PGPASSWORD"] = SECRET
pools += [dies()]
del os.environ["PGPASSWORD"]
try:
    callables = [
        {"conninfo": lambda: f"{NOWHERE} password={SECRET}"},
        {"kwargs": lambda: {"password": SECRET}},
        {"conninfo": lambda: 1 / 0 if SECRET else ""},
    ]
    pools += [dies(**settings) for settings in callables]
except (AttributeError, TypeError):
    pass  # psycopg_pool before 3.3 takes no callables


def configure(conn):
    raise RuntimeError(f"cannot configure with {SECRET}")


DSN = os.environ["DSN"]
configured = ConnectionPool(
    DSN, kwargs={"password": SECRET}, configure=configure, open=True, min_size=1, num_workers=1, reconnect_timeout=0.01
)
deadline = time.monotonic() + 10
while not configured.get_stats().get("connections_num") and time.monotonic() < deadline:
    time.sleep(0.01)

named = ConnectionPool(DSN, kwargs={"password": SECRET}, open=True, min_size=1, max_size=1, timeout=0.05, num_workers=1)
named.wait(30)
conn = named.getconn(30)
try:
    named.getconn()
except PoolTimeout as error:
    assert SECRET not in "".join(getattr(error, "__notes__", ()))
conn.execute("select %s", (SECRET,))
named.putconn(conn)


def in_a_thread():
    pools.append(dies(f"{NOWHERE} password={SECRET}"))


thread = threading.Thread(target=in_a_thread, name=f"thread with password={SECRET}")
thread.start()
thread.join()


async def main():
    asyncio.current_task().set_name(f"task of postgresql://bob:{SECRET}@db/shop")
    pool = AsyncConnectionPool(f"{NOWHERE} password={SECRET}", open=False, min_size=1, num_workers=1)
    await pool.open()
    await pool.close()
    try:
        await pool.getconn()
    except PoolClosed:
        pass


asyncio.run(main())
literal = ConnectionPool("host=127.0.0.1 port=1 user=bob password=hunter2secret", open=True, min_size=1, num_workers=1)
pools += [configured, named, literal]
if sys.argv[1:] == ["late"]:
    for pool in pools[:-1]:
        pool.close()
    ConnectionPool._signal_stop_worker = namespace["stop"]
print("over")
