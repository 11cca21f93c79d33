"""A pool and a connection die exactly when they would have died unobserved."""

from __future__ import annotations

import pytest

from tests.support.levels import LEVELS
from tests.support.programs import both, same


@pytest.mark.parametrize("level", LEVELS)
def test_a_pool_and_a_connection_die_when_they_would_have_died(level: str, dsn: str) -> None:
    program = """
        import asyncio, gc, os, sys, weakref
        gc.disable()
        from psycopg_pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool, PoolClosed, PoolTimeout
        DSN = os.environ["DSN"]
        for cls in ConnectionPool, NullConnectionPool:
            least = 1 if cls is ConnectionPool else 0
            pool = cls(DSN, min_size=least, max_size=1, open=False, timeout=0.2)
            print(sys.getrefcount(pool), len(gc.get_referrers(pool)))
            pool.open()
            conn = pool.getconn()
            died = weakref.ref(conn), weakref.ref(pool)
            print(sys.getrefcount(conn), sys.getrefcount(pool))
            pool.putconn(conn)
            print(sys.getrefcount(conn), sys.getrefcount(pool))
            pool.close()
            print(sys.getrefcount(conn), sys.getrefcount(pool))
            del conn
            print(died[0]() is None)
            del pool
            print(died[1]() is None)
        pool = ConnectionPool(DSN, min_size=1, max_size=1, open=True, timeout=0.2)
        conn = pool.getconn()
        died = weakref.ref(conn), weakref.ref(pool)
        for refusal in PoolTimeout, PoolClosed:
            try:
                pool.getconn()
            except refusal:
                pass
            pool.close()
        pool.putconn(conn)
        del pool, conn
        gc.collect()  # psycopg's own exceptions are in cycles
        print(died[0]() is None, died[1]() is None)
        dropped = ConnectionPool(DSN, min_size=0, max_size=1, open=True, num_workers=1)
        died = weakref.ref(dropped)
        del dropped
        print(died() is None)
        async def main():
            pool = AsyncConnectionPool(DSN, min_size=1, max_size=1, open=False)
            await pool.open()
            conn = await pool.getconn()
            died = weakref.ref(conn), weakref.ref(pool)
            await pool.putconn(conn)
            del conn
            await pool.close()
            print(sys.getrefcount(pool), died[0]() is None)
            del pool
            await asyncio.sleep(0)
            print(died[1]() is None)
        asyncio.run(main())
    """
    with_agent, without = both(program, dsn, POOLWITNESS_LEVEL=level)
    same(with_agent, without)
    assert not with_agent.named("poolwitness.agent.part_disabled")
