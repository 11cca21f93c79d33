"""A background task that outlives the pool it uses.

expect: PW005 at closed
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool, PoolClosed


async def refresh(pool: AsyncConnectionPool, closed: asyncio.Event) -> str:
    await closed.wait()
    try:
        async with pool.connection() as conn:
            await conn.execute("select 1")
    except PoolClosed as error:
        return type(error).__name__
    return "refreshed"


async def main() -> None:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1)
    await pool.open()
    closed = asyncio.Event()
    task = asyncio.create_task(refresh(pool, closed))
    await pool.close()  # mark: closed
    closed.set()
    print(await task)


asyncio.run(main())
