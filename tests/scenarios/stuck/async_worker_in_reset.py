"""A worker of an async pool waits in the reset callback: told by the event loop's own timer.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW302 at made, resolved
"""

import asyncio
import os
from typing import Any

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    audited = asyncio.Event()

    async def reset(conn: Any) -> None:
        await audited.wait()

    pool = AsyncConnectionPool(  # mark: made
        os.environ["DSN"], open=False, min_size=1, max_size=1, num_workers=1, name="shop", reset=reset
    )
    async with pool:
        async with pool.connection() as conn:
            await conn.execute("select 1")
        await asyncio.sleep(1.5)
        audited.set()
        async with pool.connection() as conn:
            print(await (await conn.execute("select 'audited'")).fetchone())


asyncio.run(main())
