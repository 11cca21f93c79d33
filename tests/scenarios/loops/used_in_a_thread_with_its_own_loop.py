"""A thread that runs the application's coroutine on a loop of its own, beside the one that has the pool.

expect: PW402 at used
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def report(pool: AsyncConnectionPool) -> str:
    async with pool.connection() as conn:  # mark: used
        return str(await (await conn.execute("select 1")).fetchone())


def in_thread(pool: AsyncConnectionPool) -> str:
    return asyncio.run(report(pool))


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=2, num_workers=1) as pool:
        await pool.wait()
        print(await report(pool))
        print(await asyncio.to_thread(in_thread, pool))


asyncio.run(main())
