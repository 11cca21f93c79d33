"""A helper in which every connection is taken does not hide who called it from the note on a PoolTimeout."""

from __future__ import annotations

import sys
import textwrap

import pytest

from tests.support.programs import environment, run

NOTE = """
    import os, threading
    from contextlib import contextmanager
    from psycopg_pool import ConnectionPool, PoolTimeout

    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=2, max_size=2, timeout=0.3)
    taken, over = threading.Semaphore(0), threading.Event()

    @contextmanager
    def connection():
        with pool.connection() as conn:
            yield conn

    def bill():
        with connection():
            taken.release()
            over.wait()

    def ship():
        with connection():
            taken.release()
            over.wait()

    threads = [threading.Thread(target=work, name=work.__name__) for work in (bill, ship)]
    for thread in threads:
        thread.start()
        taken.acquire()
    try:
        with connection():
            pass
    except PoolTimeout as error:
        print("\\n".join(getattr(error, "__notes__", ["no notes before Python 3.11"])))
    over.set()
    for thread in threads:
        thread.join()
    pool.close()
"""

ASYNC_NOTE = """
    import asyncio, os
    from contextlib import asynccontextmanager
    from psycopg_pool import AsyncConnectionPool, PoolTimeout

    async def main():
        pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=2, max_size=2, timeout=0.3)
        taken, over = asyncio.Semaphore(0), asyncio.Event()

        @asynccontextmanager
        async def connection():
            async with pool.connection() as conn:
                yield conn

        async def bill():
            async with connection():
                taken.release()
                await over.wait()

        async def ship():
            async with connection():
                taken.release()
                await over.wait()

        async with pool:
            tasks = [asyncio.create_task(work(), name=work.__name__) for work in (bill, ship)]
            for task in tasks:
                await taken.acquire()
            try:
                async with connection():
                    pass
            except PoolTimeout as error:
                print("\\n".join(getattr(error, "__notes__", ["no notes before Python 3.11"])))
            over.set()
            await asyncio.gather(*tasks)

    asyncio.run(main())
"""


@pytest.mark.matrix_once
@pytest.mark.parametrize("level", ["watch", "trace"])
@pytest.mark.parametrize("program", [NOTE, ASYNC_NOTE], ids=["sync", "async"])
def test_the_note_tells_apart_who_holds_through_one_helper(program: str, level: str, dsn: str) -> None:
    ran = run(program, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_LEVEL=level))
    told = [[row["message"] for row in ran.named("poolwitness.holder")]]
    if sys.version_info >= (3, 11):  # exceptions have notes
        told.append(ran.stdout.decode().splitlines())
    for rows in told:
        for name in ("bill", "ship"):
            assert any(
                " in connection (called at " in row and f" in {name})" in row and f"'{name}'" in row for row in rows
            )
    (verdict,) = ran.named("poolwitness.verdict")
    source = textwrap.dedent(program).lstrip("\n").splitlines()
    longest = source[int(verdict["poolwitness.longest_held_at"].rpartition(":")[2]) - 1]
    assert longest.strip() in ("with connection():", "async with connection():")
