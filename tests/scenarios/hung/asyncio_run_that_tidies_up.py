"""A task uses the pool for its own clean-up after it was cancelled, for longer than the limit.

env: POOLWITNESS_HELD_S=0.6
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

working: "list[asyncio.Task[None]]" = []


async def work(pool: AsyncConnectionPool) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        for _ in range(15):
            async with pool.connection() as conn:
                await conn.execute("select 1")
            await asyncio.sleep(0.1)
        await pool.close()
        print("tidy")


async def main() -> None:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
    await pool.open(wait=True)
    working.append(asyncio.create_task(work(pool)))
    await asyncio.sleep(0.1)
    print("main is over")


asyncio.run(main())
