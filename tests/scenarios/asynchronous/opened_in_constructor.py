"""An async pool opened by its constructor on purpose, and closed as it should be.

expect: PW006 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    pool = AsyncConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
    async with pool.connection() as conn:
        cur = await conn.execute("select 'opened too early'")
        print(await cur.fetchone())
    await pool.close()


asyncio.run(main())
