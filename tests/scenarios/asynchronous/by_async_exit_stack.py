"""A pool and a null pool on an AsyncExitStack.

expect: clean
"""

import asyncio
import os
from contextlib import AsyncExitStack

from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool

DSN = os.environ["DSN"]


async def main() -> None:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(AsyncConnectionPool(DSN, open=False, min_size=1))
        null_pool = await stack.enter_async_context(AsyncNullConnectionPool(DSN, open=False, max_size=1))
        async with pool.connection() as conn, null_pool.connection() as other:
            for each in conn, other:
                print(await (await each.execute("select 1")).fetchone())


asyncio.run(main())
