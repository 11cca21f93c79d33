"""An async pool that is made at module level and opened by each process on its own loop.

expect: clean
"""

import asyncio
import os
import sys

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)


async def work(who: str) -> None:
    async with pool, pool.connection() as conn:
        print(who, await (await conn.execute("select 1")).fetchone(), flush=True)


child = os.fork()
if child == 0:
    asyncio.run(work("child"))
    sys.exit(0)
_, status = os.waitpid(child, 0)
asyncio.run(work("parent"))
