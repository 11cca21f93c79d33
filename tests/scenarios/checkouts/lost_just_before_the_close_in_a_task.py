"""A task loses the last connection, and the pool is closed and gone before anybody looks again.

expect: PW101 at taken
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def count(pool: AsyncConnectionPool) -> None:
    conn = await pool.getconn()  # mark: taken
    print(await (await conn.execute("select 1")).fetchone())


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        await count(pool)


asyncio.run(main())
print("done")
