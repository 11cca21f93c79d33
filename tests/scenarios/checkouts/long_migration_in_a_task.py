"""A migration in a task: many statements, one of them slow, in one transaction that is older than the limit.

env: POOLWITNESS_HELD_S=0.4
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, open=False) as pool:
        async with pool.connection() as conn:
            await conn.execute("create temporary table migrated (id int)")
            for number in range(12):
                await conn.execute("insert into migrated select %s::int from pg_sleep(0.1)", (number,))
            await conn.execute("select pg_sleep(1.2)")
            print(await (await conn.execute("select count(*) from migrated")).fetchone())


asyncio.run(main())
