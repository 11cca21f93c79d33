"""An async pool that is open when a child is forked, which uses it on a loop of its own.

expect: PW401 at used
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def ask(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as conn:  # mark: used
        print("child", await (await conn.execute("select 1")).fetchone(), flush=True)


async def start() -> AsyncConnectionPool:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
    await pool.open(wait=True)
    return pool


loop = asyncio.new_event_loop()
pool = loop.run_until_complete(start())
child = os.fork()
if child == 0:
    asyncio.run(ask(pool))
    os._exit(0)
_, status = os.waitpid(child, 0)
print("parent", status)
loop.run_until_complete(pool.close())
loop.close()
