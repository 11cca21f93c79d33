"""An async generator is read halfway by a task that never ends.

expect: PW102 at taken
"""

import asyncio
import os
from collections.abc import AsyncIterator

from psycopg_pool import AsyncConnectionPool

kept: list[AsyncIterator[int]] = []


async def numbers(pool: AsyncConnectionPool) -> AsyncIterator[int]:
    conn = await pool.getconn()  # mark: taken
    async for row in await conn.execute("select * from generate_series(1, 100)"):
        yield row[0]
    await pool.putconn(conn)


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, open=False) as pool:
        kept.append(numbers(pool))
        async for number in kept[0]:
            print(number)
            if number == 2:
                break


asyncio.run(main())
