"""An async pool left open, and a thread that is no daemon: no thread of the agent's is there to see it.

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
orders = threading.Event()


def deliver() -> None:
    orders.wait(2.0)  # mark: waits
    print("delivered")


async def main() -> None:
    await pool.open()
    async with pool.connection() as conn:
        print(await (await conn.execute("select 'main is over'")).fetchone())


threading.Thread(target=deliver, name="deliveries").start()
asyncio.run(main())
