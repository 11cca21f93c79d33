"""A task is cancelled between getconn() and putconn(): nobody returns its connection.

expect: PW101 at taken
"""

import asyncio
import gc
import os

from psycopg_pool import AsyncConnectionPool


async def work(pool: AsyncConnectionPool, taken: asyncio.Event) -> None:
    conn = await pool.getconn()  # mark: taken
    taken.set()
    await asyncio.sleep(3600)
    await pool.putconn(conn)


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        taken = asyncio.Event()
        task = asyncio.create_task(work(pool, taken))
        await taken.wait()
        task.cancel()
        print(await asyncio.gather(task, return_exceptions=True))
        del task
        gc.collect()
        async with pool.connection() as conn:
            print(await (await conn.execute("select 2")).fetchone())


asyncio.run(main())
