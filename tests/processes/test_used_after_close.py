"""Each use of a closed pool is counted once, wherever it is seen."""

from __future__ import annotations

import pytest

from tests.support.programs import environment, run

SYNC = """
    import os
    import poolwitness
    from psycopg_pool import ConnectionPool, PoolClosed

    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
    pool.wait()
    pool.close()
    for _ in range(3):
        try:
            pool.getconn()
        except PoolClosed:
            pass
    try:
        pool.wait()
    except PoolClosed:
        pass
    print([(f.rule.code, f.extra["poolwitness.uses"]) for f in poolwitness.findings()])
"""

ASYNC = """
    import asyncio, os
    import poolwitness
    from psycopg_pool import AsyncConnectionPool, PoolClosed

    async def main():
        pool = AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
        await pool.open(wait=True)
        await pool.close()
        for _ in range(3):
            try:
                async with pool.connection():
                    pass
            except PoolClosed:
                pass
        try:
            await pool.wait()
        except PoolClosed:
            pass
        print([(f.rule.code, f.extra["poolwitness.uses"]) for f in poolwitness.findings()])

    asyncio.run(main())
"""


@pytest.mark.matrix_once
@pytest.mark.parametrize("level", ["exit", "watch", "trace"])
@pytest.mark.parametrize("program", [SYNC, ASYNC], ids=["sync", "async"])
def test_each_use_counts_once(program: str, level: str, dsn: str) -> None:
    ran = run(program, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_LEVEL=level))
    assert ran.stdout == b"[('PW005', 4)]\n"
    assert ran.rules == ["PW005"]
    (told,) = ran.named("poolwitness.finding")
    assert "was used at" in told["message"]
