"""A program that calls asyncio.run for each of its steps and keeps one pool for all of them.

expect: PW402 at used
expect: PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made


async def start() -> None:
    await pool.open(wait=True)


async def ping() -> None:
    async with pool.connection() as conn:  # mark: used
        print(await (await conn.execute("select 1")).fetchone())


asyncio.run(start())
asyncio.run(ping())
asyncio.run(ping())
