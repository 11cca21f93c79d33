"""A lifespan, as web frameworks call it: opened before the first request, closed after the last.

expect: clean
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    await pool.open()
    await pool.wait()
    yield
    await pool.close()


async def handle(request: int) -> str:
    async with pool.connection() as conn:
        cur = await conn.execute("select 'answer ' || %s::text", (request,))
        row = await cur.fetchone()
        return str(row[0]) if row else ""


async def serve() -> None:
    async with lifespan():
        print(await asyncio.gather(*(handle(request) for request in range(20))))


asyncio.run(serve())
