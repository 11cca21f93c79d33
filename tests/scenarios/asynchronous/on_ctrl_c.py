"""Ctrl-C under asyncio.run: the pool is closed on the way out.

signal: SIGINT
status: -2
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
        async with pool.connection() as conn:
            await conn.execute("select 1")
        print("READY", flush=True)
        while True:
            await asyncio.sleep(0.05)


asyncio.run(main())
