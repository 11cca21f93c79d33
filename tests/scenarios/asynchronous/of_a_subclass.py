"""An async subclass with its own __init__, left open.

expect: PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


class TunedPool(AsyncConnectionPool):
    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, open=False, min_size=1, num_workers=1)


pool = TunedPool(os.environ["DSN"])  # mark: made


async def main() -> None:
    await pool.open(wait=True)
    async with pool.connection() as conn:
        print(await (await conn.execute("select 'tuned'")).fetchone())


asyncio.run(main())
