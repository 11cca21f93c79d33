"""A pool made at module level, where no loop is, and a loop that opens, uses and closes it.

expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=2, num_workers=1)


async def ask(number: int) -> str:
    async with pool.connection() as conn:
        return str(await (await conn.execute("select %s::int", (number,))).fetchone())


async def main() -> None:
    async with pool:
        print(await asyncio.gather(*(ask(number) for number in range(6))))


asyncio.run(main())
