"""A command line tool that calls asyncio.run for each of its commands: every loop and every pool dies in its turn.

expect: clean
"""

import asyncio
import gc
import os
import weakref
from typing import Any

from psycopg_pool import AsyncConnectionPool

watched: list["weakref.ref[Any]"] = []


async def command(number: int) -> None:
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        watched.extend((weakref.ref(pool), weakref.ref(asyncio.get_running_loop())))
        async with pool.connection() as conn:
            print(await (await conn.execute("select %s::int", (number,))).fetchone())


for number in range(3):
    asyncio.run(command(number))
gc.collect()
print("alive:", sum(ref() is not None for ref in watched))
