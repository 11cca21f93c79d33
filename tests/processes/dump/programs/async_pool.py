"""An async pool, a task that has a connection, and an event loop that waits or, at the word ``blocked``, is blocked.

It says first which threads it has, and again after a line on stdin.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

from psycopg_pool import AsyncConnectionPool


def threads() -> str:
    return ",".join(sorted(thread.name for thread in threading.enumerate()))


async def hold(pool: AsyncConnectionPool, taken: asyncio.Event, told: asyncio.Event) -> None:
    async with pool.connection() as conn:  # mark: taken
        await conn.execute("select 1")
        taken.set()
        await told.wait()  # mark: stands


async def main() -> None:
    taken, told = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, name="async") as pool:
        holder = asyncio.create_task(hold(pool, taken, told), name="holder")
        await taken.wait()
        sys.stdout.write(f"READY {threads()}\n")
        sys.stdout.flush()
        if sys.argv[1] == "blocked":
            time.sleep(600)  # mark: blocked
        loop.add_reader(0, told.set)
        await told.wait()
        loop.remove_reader(0)
        await holder
    sys.stdout.write(f"ENDED {threads()}\n")


asyncio.run(main())
