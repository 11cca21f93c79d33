"""A task waits for a connection while the pool is closed: PoolClosed reaches the waiter.

expect: PW005 at closed
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool, PoolClosed


async def wait_for_connection(pool: AsyncConnectionPool) -> str:
    try:
        async with pool.connection():
            return "got one"
    except PoolClosed as error:
        return type(error).__name__


async def main() -> None:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1)
    await pool.open(wait=True)
    async with pool.connection():
        task = asyncio.create_task(wait_for_connection(pool))
        while not pool.get_stats().get("requests_waiting"):
            await asyncio.sleep(0.01)
        await pool.close()  # mark: closed
        print(await task)


asyncio.run(main())
