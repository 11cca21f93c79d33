"""Leaves 1,000 pools open and prints the CPU and the wall milliseconds of the verdict.

Arguments: ``sync`` or ``async``, then ``one`` line that makes them all or ``many`` functions, one each.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg_pool

from poolwitness.agent import current

POOLS = 1_000


def makers(kind: str, lines: str) -> list[Callable[[], Any]]:
    """The functions that make the pools."""
    name = "ConnectionPool" if kind == "sync" else "AsyncConnectionPool"
    arguments = "'host=127.0.0.1 port=1', min_size=0, max_size=1, num_workers=1, open=False"
    made: dict[str, Any] = {"pools": psycopg_pool}
    source = "".join(
        f"def make_{number}():\n    return pools.{name}({arguments})\n"
        for number in range(1 if lines == "one" else POOLS)
    )
    exec(compile(source, os.path.abspath("shop.py"), "exec"), made)
    functions = [value for name, value in made.items() if name.startswith("make_")]
    return functions * (POOLS // len(functions))


def verdict() -> None:
    """Time what atexit would call."""
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    current().load().verdict.give("benchmark")
    print((time.thread_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6, flush=True)
    # On Python 3.13 the end of this program would take hours.
    os._exit(0)


async def asynchronous(functions: list[Callable[[], Any]]) -> None:
    """Open async pools, and look while their loop is running."""
    pools = [make() for make in functions]
    for pool in pools:
        await pool.open()
    verdict()


def main() -> None:
    """Make the pools and ask."""
    functions = makers(sys.argv[1], sys.argv[2])
    if sys.argv[1] == "async":
        asyncio.run(asynchronous(functions))
    pools = [make() for make in functions]
    for pool in pools:
        pool.open()
    verdict()


if __name__ == "__main__":
    main()
