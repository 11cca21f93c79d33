"""An async null pool with one place, and a task in it.

expect: PW201 at held
"""

import asyncio
import os

from psycopg_pool import AsyncNullConnectionPool, PoolTimeout


async def main() -> None:
    async with AsyncNullConnectionPool(os.environ["DSN"], max_size=1, timeout=0.3, open=False) as pool:
        conn = await pool.getconn(timeout=20)  # mark: held
        try:
            await pool.getconn()
        except PoolTimeout as error:
            print(error)
        await pool.putconn(conn)


asyncio.run(main())
