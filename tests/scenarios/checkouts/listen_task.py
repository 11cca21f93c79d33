"""A task listens for ever on a connection of the pool, and its owner has said so.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
env: POOLWITNESS_IGNORE=PW103:*/listen_task.py
expect: clean
"""

import asyncio
import os

from psycopg import sql
from psycopg_pool import AsyncConnectionPool

# Programs that run at the same time may have the same server.
channel = sql.Identifier(f"stock_{os.getpid()}")


async def listen(pool: AsyncConnectionPool, listening: asyncio.Event) -> None:
    async with pool.connection() as conn:
        await conn.execute(sql.SQL("listen {}").format(channel))
        listening.set()
        async for notify in conn.notifies():
            print(notify.payload)
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
            await conn.execute(sql.SQL("notify {}, 'end'").format(channel))
        await task


asyncio.run(main())
