"""An async server-side cursor is read for longer than the limit.

env: POOLWITNESS_HELD_S=0.4
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, open=False) as pool:
        async with pool.connection() as conn:
            rows = 0
            async with conn.cursor(name="export") as cursor:
                cursor.itersize = 1
                await cursor.execute("select * from generate_series(1, 100)")
                async for _ in cursor:
                    rows += 1
                    await asyncio.sleep(0.02)
    print(rows)


asyncio.run(main())
