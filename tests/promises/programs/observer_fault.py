"""What observers hear of, in a second; with two arguments, a method of one of the agent's observers raises."""

import asyncio
import gc
import importlib
import json
import logging
import os
import sys
import time
import warnings

DSN = os.environ["DSN"]
warnings.simplefilter("ignore")
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
marks = os.open(os.environ["STATE"] + ".reached", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def inject(module, name):
    cls, event = name.split(".")
    namespace = {"__name__": module, "reached": lambda: os.write(marks, b".")}
    exec("def raiser(*args, **kwargs):\n    reached()\n    raise RuntimeError('hunter2')", namespace)
    setattr(getattr(importlib.import_module(module), cls), event, namespace["raiser"])


if sys.argv[1:]:
    # Before psycopg_pool is imported: with a black box, the agent is loaded then.
    inject(*sys.argv[1:])

from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed, PoolTimeout  # noqa: E402


async def asynchronous():
    async with AsyncConnectionPool(DSN, min_size=1, max_size=1, open=False) as pool:
        async with pool.connection():
            pass


def work():
    with ConnectionPool(DSN, min_size=1, max_size=1, num_workers=1, open=False, timeout=10) as pool:
        with pool.connection() as conn:
            print(conn.execute("select 1").fetchone())
            try:
                pool.getconn(timeout=0.01)
            except PoolTimeout as error:
                print(error)
            time.sleep(0.3)  # longer than POOLWITNESS_HELD_S, and several sweeps
        lost = pool.getconn()
        del lost
        gc.collect()
    try:
        pool.getconn()
    except PoolClosed as error:
        print(error)
    with ConnectionPool("host=127.0.0.1 port=1", min_size=1, max_size=1, num_workers=1, open=False):
        time.sleep(0.1)
    dropped = ConnectionPool(DSN, min_size=0, max_size=1, num_workers=1, open=False)
    del dropped
    asyncio.run(asynchronous())


work()
child = os.fork()
if not child:
    work()
    sys.exit(0)
print(os.waitpid(child, 0)[1])
sys.stdout.flush()
agent = sys.modules.get("poolwitness.agent")
if agent is not None:
    with open(os.environ["STATE"], "w") as file:
        guards = agent.current().guards
        agent.give_verdict("atexit")
        json.dump(
            {"reached": os.fstat(marks).st_size, "disabled": [each.name for each in guards if not each.enabled]}, file
        )
