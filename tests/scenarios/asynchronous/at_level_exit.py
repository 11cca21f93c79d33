"""The quietest level: pools and the verdict only.

env: POOLWITNESS_LEVEL=exit
expect: PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made


async def main() -> None:
    await pool.open(wait=True)
    async with pool.connection() as conn:
        print(await (await conn.execute("select 'quietly'")).fetchone())


asyncio.run(main())
