"""A task takes a second connection while it has one.

expect: PW106 at inner
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def note(pool: AsyncConnectionPool, item: int) -> None:
    async with pool.connection() as conn:  # mark: inner
        await conn.execute("select %s::int", (item,))


async def order(pool: AsyncConnectionPool, item: int) -> None:
    async with pool.connection() as conn:
        await conn.execute("select %s::int", (item,))
        await note(pool, item)


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=4, open=False) as pool:
        await asyncio.gather(*(order(pool, item) for item in range(2)))


asyncio.run(main())
print("ordered")
