"""Tasks take connections by one async context manager, and one of them uses it within another.

expect: PW106 at inner
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg_pool import AsyncConnectionPool


@asynccontextmanager
async def connection(pool: AsyncConnectionPool) -> AsyncIterator[Any]:
    async with pool.connection() as conn:
        yield conn


async def note(pool: AsyncConnectionPool, item: int) -> None:
    async with connection(pool) as conn:  # mark: inner
        await conn.execute("select %s::int", (item,))


async def order(pool: AsyncConnectionPool, item: int) -> None:
    async with connection(pool) as conn:
        await conn.execute("select %s::int", (item,))
        await note(pool, item)


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=4, open=False) as pool:
        await note(pool, 0)
        await asyncio.gather(*(order(pool, item) for item in range(2)))


asyncio.run(main())
print("ordered")
