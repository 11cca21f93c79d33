"""Twelve API clients, each with its async pool, none of them closed.

expect: PW007 at made
expect: 12 x PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

DSN = os.environ["DSN"]


class Client:
    def __init__(self) -> None:
        self.pool = AsyncConnectionPool(DSN, open=False, min_size=0, max_size=1, num_workers=1)  # mark: made

    async def start(self) -> None:
        await self.pool.open()

    async def ping(self) -> None:
        async with self.pool.connection() as conn:
            cur = await conn.execute("select 'pong'")
            print(await cur.fetchone())


clients = [Client() for _ in range(12)]


async def main() -> None:
    await asyncio.gather(*(client.start() for client in clients))
    await clients[7].ping()


asyncio.run(main())
