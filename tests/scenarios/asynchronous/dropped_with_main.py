"""A pool that is a local variable of the main coroutine, and is gone when that returns.

expect: PW002 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made
    await pool.open(wait=True)
    async with pool.connection() as conn:
        cur = await conn.execute("select 'and gone'")
        print(await cur.fetchone())


asyncio.run(main())
