"""asyncio.run waits for a thread of the loop's own executor before it returns.

only: python>=3.11
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
    await pool.open()
    async with pool.connection() as conn:
        print(await (await conn.execute("select 'main is over'")).fetchone())
    asyncio.get_running_loop().run_in_executor(None, report)
    await asyncio.sleep(0.2)


asyncio.run(main())
