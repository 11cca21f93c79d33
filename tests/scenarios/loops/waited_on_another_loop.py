"""A health check in a thread, with a loop of its own, that waits for the application's pool to be full.

expect: PW402 at waited
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def health(pool: AsyncConnectionPool) -> str:
    await pool.wait(timeout=5)  # mark: waited
    return "full"


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        async with pool.connection() as conn:
            await conn.execute("select 1")
        print(await asyncio.to_thread(asyncio.run, health(pool)))


asyncio.run(main())
