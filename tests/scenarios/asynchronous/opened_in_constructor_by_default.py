"""An async pool that is used as its constructor left it: open, because that is still the default.

expect: PW006 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


class Store:
    def __init__(self) -> None:
        self.pool = AsyncConnectionPool(os.environ["DSN"], min_size=1, num_workers=1)  # mark: made

    async def ping(self) -> None:
        async with self.pool.connection() as conn:
            cur = await conn.execute("select 'pong'")
            print(await cur.fetchone())


async def main() -> None:
    store = Store()
    try:
        await store.ping()
    finally:
        await store.pool.close()


asyncio.run(main())
