"""A task that has a connection waits for tasks that take their own: nested in time, but not in one task.

expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def part(pool: AsyncConnectionPool, number: int) -> int:
    async with pool.connection() as conn:
        row = await (await conn.execute("select %s::int", (number,))).fetchone()
        return row[0] if row else 0


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=4, open=False) as pool:
        async with pool.connection() as conn:
            await conn.execute("select 1")
            print(await asyncio.gather(*(part(pool, number) for number in range(3))))


asyncio.run(main())
