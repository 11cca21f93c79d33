"""An async pool whose worker connects again and again for longer than the limit, each time for a moment.

env: POOLWITNESS_HELD_S=1
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import asyncio
import os
from typing import Any

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async def reset(conn: Any) -> None:
        await asyncio.sleep(0.1)

    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1, num_workers=1, reset=reset)
    async with pool:
        for _ in range(20):
            async with pool.connection() as conn:
                await conn.execute("select 1")
        print("busy throughout")


asyncio.run(main())
