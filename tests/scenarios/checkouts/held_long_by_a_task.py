"""A task holds a connection while it waits for something else, and then returns it.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW103 at taken, resolved
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def charge_card(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as conn:  # mark: taken
        row = await (await conn.execute("select 42")).fetchone()
        await asyncio.sleep(1.5)
        print("charged", row)


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        await asyncio.create_task(charge_card(pool), name="checkout")


asyncio.run(main())
