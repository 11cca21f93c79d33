"""Threads that hand their coroutines to the pool's loop, as they should.

expect: clean
"""

import asyncio
import os
import threading

from psycopg_pool import AsyncConnectionPool


async def ask(pool: AsyncConnectionPool, number: int) -> int:
    async with pool.connection() as conn:
        row = await (await conn.execute("select %s::int", (number,))).fetchone()
        return int(row[0]) if row else 0


async def start() -> AsyncConnectionPool:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
    await pool.open()
    return pool


loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever)
thread.start()
pool = asyncio.run_coroutine_threadsafe(start(), loop).result()
asked = [asyncio.run_coroutine_threadsafe(ask(pool, number), loop) for number in range(5)]
print([future.result() for future in asked])
asyncio.run_coroutine_threadsafe(pool.close(), loop).result()
loop.call_soon_threadsafe(loop.stop)
thread.join()
loop.close()
