"""close() of an async connection returns it to its pool, where the pool was made so.

only: pool>=3.3
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def work(pool: AsyncConnectionPool, number: int) -> int:
    conn = await pool.getconn()
    row = await (await conn.execute("select %s::int", (number,))).fetchone()
    await conn.commit()
    await conn.close()
    return row[0] if row else 0


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, close_returns=True, open=False) as pool:
        print(await asyncio.gather(*(work(pool, number) for number in range(6))))


asyncio.run(main())
