"""A task waits for another service with the only connection in hand.

expect: PW201 at held
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool, PoolTimeout


async def render(pool: AsyncConnectionPool, taken: asyncio.Event, done: asyncio.Event) -> None:
    async with pool.connection() as conn:  # mark: held
        await conn.execute("select 1")
        taken.set()
        await done.wait()


async def main() -> None:
    taken, done = asyncio.Event(), asyncio.Event()
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, timeout=0.3, open=False) as pool:
        await pool.wait()
        task = asyncio.create_task(render(pool, taken, done), name="renderer")
        await taken.wait()
        try:
            await pool.getconn()
        except PoolTimeout as error:
            print(error)
        done.set()
        await task


asyncio.run(main())
