"""The default again, but inside async with, and in another place followed by open(): both are what psycopg
asks for.

expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

DSN = os.environ["DSN"]


async def main() -> None:
    async with AsyncConnectionPool(DSN, min_size=1) as pool:
        async with pool.connection() as conn:
            print(await (await conn.execute("select 'entered'")).fetchone())

    pool = AsyncConnectionPool(DSN, min_size=1)
    await pool.open()
    async with pool.connection() as conn:
        print(await (await conn.execute("select 'opened'")).fetchone())
    await pool.close()


asyncio.run(main())
