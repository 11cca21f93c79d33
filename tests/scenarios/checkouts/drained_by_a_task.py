"""An async pool is drained and resized while tasks have its connections.

only: pool>=3.3
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=2, max_size=4, open=False) as pool:

        async def work() -> None:
            for _ in range(40):
                async with pool.connection() as conn:
                    await conn.execute("select pg_sleep(0.001)")

        tasks = [asyncio.create_task(work()) for _ in range(4)]
        async with pool.connection() as conn:
            await conn.execute("select 1")
            await pool.drain()
        await pool.resize(1, 6)
        await work()
        await pool.drain()
        await asyncio.gather(*tasks)
    print("done")


asyncio.run(main())
