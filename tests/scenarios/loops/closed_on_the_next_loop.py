"""A pool that is closed by an asyncio.run of its own, after the one that opened it.

expect: PW402 at closed
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)


async def work() -> None:
    await pool.open(wait=True)
    async with pool.connection() as conn:
        print(await (await conn.execute("select 1")).fetchone())


asyncio.run(work())
try:
    asyncio.run(pool.close(timeout=0.5))  # mark: closed
except (RuntimeError, ValueError, asyncio.CancelledError) as error:
    print(type(error).__name__)
