"""A task leaves its connection in a dict and ends.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW102 at taken
"""

import asyncio
import os
from typing import Any

from psycopg_pool import AsyncConnectionPool

cache: dict[str, Any] = {}


async def warm_up(pool: AsyncConnectionPool) -> None:
    cache["conn"] = await pool.getconn()  # mark: taken
    await cache["conn"].execute("select 1")
    await cache["conn"].commit()


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        await asyncio.create_task(warm_up(pool), name="warm-up")
        await asyncio.sleep(1.5)
        async with pool.connection() as conn:
            print(await (await conn.execute("select 2")).fetchone())


asyncio.run(main())
