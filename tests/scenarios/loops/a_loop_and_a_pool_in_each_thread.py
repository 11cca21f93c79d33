"""Two threads at once, each with a loop and a pool of its own.

expect: clean
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from psycopg_pool import AsyncConnectionPool


async def work(number: int) -> str:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        async with pool.connection() as conn:
            return str(await (await conn.execute("select %s::int", (number,))).fetchone())


with ThreadPoolExecutor(2) as threads:
    print(list(threads.map(lambda number: asyncio.run(work(number)), range(4))))
