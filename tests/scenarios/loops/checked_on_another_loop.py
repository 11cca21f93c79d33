"""A periodic check of the pool's connections, in a thread with a loop of its own.

expect: PW402 at checked
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def check(pool: AsyncConnectionPool) -> str:
    await pool.check()  # mark: checked
    return "checked"


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        await pool.wait()
        print(await asyncio.to_thread(asyncio.run, check(pool)))
        await pool.check()


asyncio.run(main())
