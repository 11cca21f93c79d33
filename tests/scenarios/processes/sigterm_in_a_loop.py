"""SIGTERM while an event loop runs, with an async pool that nobody will close.

env: POOLWITNESS_SIGTERM=1
signal: SIGTERM
status: -15
expect: PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made
    await pool.open()
    async with pool.connection() as conn:
        await conn.execute("select 1")
    print("READY", flush=True)
    await asyncio.sleep(60)


asyncio.run(main())
