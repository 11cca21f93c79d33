"""Tasks that ask for a second connection while they have one, all at once."""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def note(pool: AsyncConnectionPool, order: int) -> None:
    async with pool.connection() as conn:
        await conn.execute("select %s::int", (order,))


async def book(pool: AsyncConnectionPool, order: int) -> None:
    async with pool.connection(timeout=20) as conn:
        await conn.execute("select %s::int", (order,))
        while pool.get_stats()["pool_available"]:
            await asyncio.sleep(0.01)
        await note(pool, order)


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=2, timeout=1, name="orders", open=False) as pool:
        await pool.wait()
        await asyncio.gather(*(asyncio.create_task(book(pool, order), name=f"order-{order}") for order in (1, 2)))


asyncio.run(main())
