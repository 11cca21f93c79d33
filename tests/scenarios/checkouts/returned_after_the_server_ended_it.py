"""The server ends the session while an async connection is out.

expect: PW105 at taken
"""

import asyncio
import os

import psycopg
from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        try:
            async with pool.connection() as conn:  # mark: taken
                await conn.execute("select pg_terminate_backend(pg_backend_pid())")
        except psycopg.OperationalError as error:
            print(type(error).__name__)


asyncio.run(main())
