"""A request on another loop that has to wait, for workers that ended with the first: one fault, told once.

expect: PW402 at asked
expect: PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool, PoolTimeout

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=0, max_size=1, num_workers=1)  # mark: made


async def start() -> None:
    await pool.open()


async def ask() -> None:
    try:
        await pool.getconn(timeout=0.5)  # mark: asked
    except PoolTimeout as error:
        print(type(error).__name__)


asyncio.run(start())
asyncio.run(ask())
