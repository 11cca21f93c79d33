"""open() and close() by hand, and an exception that passes through.

status: 1
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1)
    await pool.open(wait=True)
    try:
        async with pool.connection() as conn:
            await conn.execute("select 1")
            raise LookupError("no such customer")
    finally:
        await pool.close()


asyncio.run(main())
