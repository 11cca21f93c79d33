"""The database does not exist.

expect: PW202 at made
"""

import asyncio
import logging
import os

from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself


async def main() -> None:
    conninfo = make_conninfo(os.environ["DSN"], dbname="no_such_shop")
    async with AsyncConnectionPool(conninfo, min_size=1, open=False) as pool:  # mark: made
        while not pool.get_stats().get("connections_errors"):
            await asyncio.sleep(0.01)


asyncio.run(main())
