"""Pools of every kind, one of a subclass, one with a name that a terminal would obey; busy until a line on stdin."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from psycopg_pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool

DSN = os.environ["DSN"]


class ShopPool(ConnectionPool):
    """The application's own."""


shop = ShopPool(DSN, open=True, min_size=1, num_workers=1, name="\x1b[31mshop\n")
null = NullConnectionPool(DSN, open=True, max_size=2, num_workers=1, name="null")
never_opened = ConnectionPool(DSN, open=False, name="never opened")
closed = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name="closed")
closed.close()
held = null.getconn()
shop.wait()


async def hold(pool: AsyncConnectionPool, taken: asyncio.Event) -> None:
    async with pool.connection() as conn:
        await conn.execute("select 1")
        taken.set()
        await asyncio.sleep(600)  # mark: stands


async def main() -> None:
    taken = asyncio.Event()
    async with AsyncConnectionPool(DSN, open=False, min_size=1, name="async") as pool:
        task = asyncio.create_task(hold(pool, taken), name="the holder")
        await taken.wait()
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        while not told.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
    null.putconn(held)
    shop.close()
    null.close()
    sys.stdout.write("ENDED\n")


def listen() -> None:
    os.read(0, 1)
    told.set()


told = threading.Event()
threading.Thread(target=listen, daemon=True).start()
asyncio.run(main())
