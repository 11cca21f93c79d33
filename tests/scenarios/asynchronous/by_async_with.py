"""The pool as an asynchronous context manager around the main coroutine.

expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
        async with pool.connection() as conn:
            cur = await conn.execute("select 'well kept'")
            print(await cur.fetchone())


asyncio.run(main())
