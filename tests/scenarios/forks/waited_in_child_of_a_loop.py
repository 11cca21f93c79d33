"""The same with an async pool, whose tasks stayed on the parent's loop.

expect: PW401 at waited
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool, PoolTimeout


async def wait(pool: AsyncConnectionPool) -> None:
    try:
        await pool.wait(timeout=0.5)  # mark: waited
    except PoolTimeout:
        print("child: never full", flush=True)
    finally:
        os._exit(0)


async def start() -> AsyncConnectionPool:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
    await pool.open()
    return pool


loop = asyncio.new_event_loop()
pool = loop.run_until_complete(start())
conn = loop.run_until_complete(pool.getconn())
child = os.fork()
if child == 0:
    asyncio.run(wait(pool))
_, status = os.waitpid(child, 0)
print("parent", status)
loop.run_until_complete(pool.putconn(conn))
loop.run_until_complete(pool.close())
loop.close()
