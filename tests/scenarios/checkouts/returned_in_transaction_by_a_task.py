"""An async connection is put back without a commit.

expect: PW104 at returned
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def order(pool: AsyncConnectionPool, item: int) -> None:
    conn = await pool.getconn()
    await conn.execute("select set_config('shop.item', %s::text, false)", (item,))
    await pool.putconn(conn)  # mark: returned


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        await asyncio.gather(*(order(pool, item) for item in range(4)))


asyncio.run(main())
