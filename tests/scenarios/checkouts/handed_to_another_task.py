"""A task takes connections, hands them to another task and ends.

expect: clean
"""

import asyncio
import os
from typing import Any

from psycopg_pool import AsyncConnectionPool


async def take(pool: AsyncConnectionPool, handed: asyncio.Queue[Any]) -> None:
    for _ in range(6):
        await handed.put(await pool.getconn())


async def use(pool: AsyncConnectionPool, handed: asyncio.Queue[Any]) -> None:
    for _ in range(6):
        conn = await handed.get()
        print(await (await conn.execute("select 1")).fetchone())
        await conn.commit()
        await pool.putconn(conn)


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        handed: asyncio.Queue[Any] = asyncio.Queue()
        await asyncio.gather(take(pool, handed), use(pool, handed))


asyncio.run(main())
