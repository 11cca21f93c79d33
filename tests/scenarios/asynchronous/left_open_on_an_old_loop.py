"""The event loop by hand, as before asyncio.run: neither the pool nor the loop is closed.

expect: PW001 at made
order: any
"""

import asyncio
import os

from psycopg_pool import AsyncNullConnectionPool


async def connect() -> AsyncNullConnectionPool:
    pool = AsyncNullConnectionPool(os.environ["DSN"], open=False, max_size=1, num_workers=1)  # mark: made
    await pool.open()
    async with pool.connection() as conn:
        await conn.execute("select 1")
    return pool


loop = asyncio.new_event_loop()
pool = loop.run_until_complete(connect())
print(pool.closed)
