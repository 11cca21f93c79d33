"""A child that closes its copy of an async pool on a loop of its own.

expect: PW401 at closed
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def close(pool: AsyncConnectionPool) -> None:
    try:
        await pool.close(timeout=0.2)  # mark: closed
    finally:
        os._exit(0)


async def start() -> AsyncConnectionPool:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
    await pool.open(wait=True)
    return pool


loop = asyncio.new_event_loop()
pool = loop.run_until_complete(start())
child = os.fork()
if child == 0:
    asyncio.run(close(pool))
_, status = os.waitpid(child, 0)
print("parent", status)
loop.run_until_complete(pool.close())
loop.close()
