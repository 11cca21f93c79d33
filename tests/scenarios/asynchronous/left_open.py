"""A pool of the module, opened in the main coroutine and never closed: it vanishes without a word.

expect: PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made


async def main() -> None:
    await pool.open()
    async with pool.connection() as conn:
        cur = await conn.execute("select 'still here'")
        print(await cur.fetchone())


asyncio.run(main())
