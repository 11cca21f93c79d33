"""Too many tasks ask at once: TooManyRequests is raised at once.

expect: PW201 at held
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool, TooManyRequests


async def order(pool: AsyncConnectionPool) -> str:
    try:
        async with pool.connection() as conn:  # mark: held
            await conn.execute("select pg_sleep(0.3)")
        return "ordered"
    except TooManyRequests:
        return "refused"


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_waiting=2, open=False) as pool:
        await pool.wait()
        print(await asyncio.gather(*(order(pool) for _ in range(5))))


asyncio.run(main())
