"""A coroutine takes a connection and never returns it.

expect: PW101 at taken
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def count(pool: AsyncConnectionPool) -> None:
    conn = await pool.getconn()  # mark: taken
    print(await (await conn.execute("select count(*) from generate_series(1, 3)")).fetchone())


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        await count(pool)


asyncio.run(main())
