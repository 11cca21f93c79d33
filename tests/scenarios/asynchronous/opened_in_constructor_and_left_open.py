"""Both mistakes at once: two findings, one line.

expect: PW006 at made
expect: PW001 at made
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

pools: dict[str, AsyncConnectionPool] = {}


async def main() -> None:
    pools["main"] = AsyncConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
    async with pools["main"].connection() as conn:
        print(await (await conn.execute("select 'twice wrong'")).fetchone())


asyncio.run(main())
