"""A pool that is left open on purpose, and an owner who says so.

env: POOLWITNESS_IGNORE=PW001:*/asynchronous/ignored.py
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)


async def main() -> None:
    await pool.open(wait=True)
    async with pool.connection() as conn:
        print(await (await conn.execute("select 'on purpose'")).fetchone())


asyncio.run(main())
