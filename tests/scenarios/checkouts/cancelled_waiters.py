"""Tasks that wait for a connection are cancelled, before and after one was on its way to them.

expect: clean
"""

import asyncio
import os
import random

from psycopg_pool import AsyncConnectionPool


async def work(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as conn:
        await conn.execute("select pg_sleep(0.002)")


async def main() -> None:
    dice = random.Random(509)
    async with AsyncConnectionPool(os.environ["DSN"], min_size=2, open=False) as pool:
        await pool.wait()
        for _ in range(40):
            tasks = [asyncio.create_task(work(pool)) for _ in range(6)]
            await asyncio.sleep(dice.random() * 0.01)
            for task in dice.sample(tasks, 3):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with pool.connection() as conn:
            print(await (await conn.execute("select 'still there'")).fetchone())


asyncio.run(main())
