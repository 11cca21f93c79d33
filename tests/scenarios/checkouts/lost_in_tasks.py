"""Three tasks take a connection each and end without returning it.

expect: 3 x PW101 at taken
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def work(pool: AsyncConnectionPool, number: int) -> int:
    conn = await pool.getconn()  # mark: taken
    row = await (await conn.execute("select %s::int", (number,))).fetchone()
    return row[0] if row else 0


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=4, open=False) as pool:
        print(await asyncio.gather(*(work(pool, number) for number in range(3))))


asyncio.run(main())
