"""An async program waits for its pool at the start, and there is no server.

expect: PW202 at made
expect: PW201 at waited
"""

import asyncio
import logging

from psycopg_pool import AsyncConnectionPool, PoolTimeout

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself


async def main() -> None:
    pool = AsyncConnectionPool("host=127.0.0.1 port=1", min_size=1, open=False)  # mark: made
    await pool.open()
    try:
        await pool.wait(timeout=0.5)  # mark: waited
    except PoolTimeout as error:
        print(error)


asyncio.run(main())
