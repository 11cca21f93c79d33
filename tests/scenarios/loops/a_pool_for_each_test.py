"""A test runner that gives each test a loop, and a fixture that gives each a pool, in steps on the same loop.

expect: clean
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool


@asynccontextmanager
async def fixture() -> AsyncIterator[AsyncConnectionPool]:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


async def ask(pool: AsyncConnectionPool, number: int) -> None:
    async with pool.connection() as conn:
        print(await (await conn.execute("select %s::int", (number,))).fetchone())


for number in range(4):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    manager = fixture()
    pool = loop.run_until_complete(manager.__aenter__())
    loop.run_until_complete(ask(pool, number))
    loop.run_until_complete(manager.__aexit__(None, None, None))
    loop.close()
asyncio.set_event_loop(None)
