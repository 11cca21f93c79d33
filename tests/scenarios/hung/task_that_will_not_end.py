"""A task of the application catches its cancellation and goes on; the sweeper's thread sees it.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW004 at waits
"""

import asyncio
import atexit
import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1, name="shop")
atexit.register(pool.close)


async def listen() -> None:
    try:
        await asyncio.sleep(60)
    except BaseException:
        pass
    await asyncio.sleep(2.0)  # mark: waits
    print("heard")


async def main() -> None:
    asyncio.get_running_loop().create_task(listen(), name="listener").add_done_callback(print_name)
    await asyncio.sleep(0.2)
    print("main is over")


def print_name(task: "asyncio.Task[None]") -> None:
    print(task.get_name(), "is done")


asyncio.run(main())
