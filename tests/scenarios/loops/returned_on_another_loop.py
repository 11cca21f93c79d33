"""A connection that is taken on the pool's loop and given back by another one.

expect: PW402 at returned
"""

import asyncio
import os
from typing import Any

from psycopg_pool import AsyncConnectionPool


async def give_back(pool: AsyncConnectionPool, conn: Any) -> None:
    await pool.putconn(conn)  # mark: returned


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        conn = await pool.getconn()
        await asyncio.to_thread(asyncio.run, give_back(pool, conn))
        print(pool.get_stats()["pool_available"])


asyncio.run(main())
