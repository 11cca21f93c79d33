"""Takes and returns a connection of an async pool, again and again: one turn prints the microseconds of one cycle.

Arguments: a conninfo, how many frames deep, and a word that is ignored. The one order, ``bare``, takes and returns
(thread CPU time).
"""

import asyncio
import sys
import time

from psycopg_pool import AsyncConnectionPool

CYCLES = 2_000


async def deeper(frames: int, pool: AsyncConnectionPool) -> None:
    """Answer orders with that many more frames on the stack."""
    if frames > 0:
        await deeper(frames - 1, pool)
        return
    for _ in sys.stdin:
        started = time.thread_time_ns()
        for _ in range(CYCLES):
            await pool.putconn(await pool.getconn())
        print((time.thread_time_ns() - started) / 1000 / CYCLES, flush=True)


async def main() -> None:
    """Until there are no more orders."""
    async with AsyncConnectionPool(sys.argv[1], min_size=1, max_size=1, open=False) as pool:
        await pool.wait()
        await deeper(int(sys.argv[2]), pool)


if __name__ == "__main__":
    asyncio.run(main())
