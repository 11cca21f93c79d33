"""The pool is closed while a task has a connection; the task keeps it for seconds, and then returns it.

env: POOLWITNESS_SWEEP_S=0.1
expect: PW102 at taken, resolved
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def export(pool: AsyncConnectionPool, taken: asyncio.Event) -> None:
    conn = await pool.getconn()  # mark: taken
    taken.set()
    await asyncio.sleep(3.5)
    print(await (await conn.execute("select 'done'")).fetchone())
    await conn.commit()
    await pool.putconn(conn)


async def main() -> None:
    taken = asyncio.Event()
    async with (
        AsyncConnectionPool(os.environ["DSN"], min_size=1, open=False) as pool,
        AsyncConnectionPool(os.environ["DSN"], min_size=1, open=False),
    ):
        task = asyncio.create_task(export(pool, taken))
        await taken.wait()
        await pool.close()
        await task


asyncio.run(main())
