"""A library registers its type on every connection that is taken: the line to open is the application's call.

expect: PW204 at registered
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool
from vectors.psycopg import register_vector  # type: ignore[import-not-found]  # installed outside the application


async def search(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as conn:
        await register_vector(conn)  # mark: registered
        print(await (await conn.execute("select '{1,2}'::float4[]")).fetchone())


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=3, open=False) as pool:
        for _ in range(8):
            await search(pool)


asyncio.run(main())
