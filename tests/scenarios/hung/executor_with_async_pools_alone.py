"""A thread pool that was never shut down has a task that takes long; the pools are async.

only: python!=3.12.0, python!=3.12.1, python!=3.12.2
env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW004 at waits
expect: PW001 at made
"""

import asyncio
import os
import threading

from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made


def report() -> None:
    threading.Event().wait(2.0)  # mark: waits
    print("reported")


async def main() -> None:
    from concurrent.futures import ThreadPoolExecutor

    await pool.open()
    async with pool.connection() as conn:
        print(await (await conn.execute("select 'main is over'")).fetchone())
    ThreadPoolExecutor(1).submit(report)
    await asyncio.sleep(0.3)


asyncio.run(main())
