"""A task listens for ever on a connection of the pool, and its owner has said so.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
env: POOLWITNESS_IGNORE=PW103:*/listen_task.py
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def listen(pool: AsyncConnectionPool, listening: asyncio.Event) -> None:
    async with pool.connection() as conn:
        await conn.execute("listen stock_of_tasks")
        listening.set()
        async for notify in conn.notifies():
            print(notify.channel, notify.payload)
            if notify.payload == "end":
                break


async def main() -> None:
    kwargs = {"autocommit": True}
    async with AsyncConnectionPool(os.environ["DSN"], min_size=2, kwargs=kwargs, open=False) as pool:
        listening = asyncio.Event()
        task = asyncio.create_task(listen(pool, listening), name="listener")
        await listening.wait()
        await asyncio.sleep(1.5)
        async with pool.connection() as conn:
            await conn.execute("notify stock_of_tasks, 'end'")
        await task


asyncio.run(main())
