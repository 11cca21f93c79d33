"""deactivate() leaves the program as it was found."""

from __future__ import annotations

import pytest

from tests.support.programs import environment, run

IN_CODE = """
    import atexit, json, os, sys, threading
    import psycopg, poolwitness
    {imported}
    def state():
        owners = [psycopg.Connection, psycopg.AsyncConnection]
        pools = sys.modules.get("psycopg_pool")
        if pools is not None:
            owners += [pools.ConnectionPool, pools.AsyncConnectionPool, pools.NullConnectionPool, pools.AsyncNullConnectionPool]
            owners += [pools.sched.Scheduler] if hasattr(pools, "sched") else []
        return (
            {{owner.__name__: dict(owner.__dict__) for owner in owners}},
            list(sys.meta_path), list(threading.enumerate()), len(os.listdir("/proc/self/fd")),
        )
    def compare(before, after):
        for name in before[0]:
            for key in before[0][name].keys() | after[0][name].keys():
                if before[0][name].get(key) is not after[0][name].get(key):
                    print("differs:", name, key)
        print(before[1:] == after[1:])
"""


def test_deactivated_before_the_import() -> None:
    program = (
        IN_CODE.format(imported="")
        + """
    before = state()
    callbacks = atexit._ncallbacks()
    poolwitness.activate(level="trace")
    print(len(sys.meta_path) - len(before[1]), atexit._ncallbacks() - callbacks)
    poolwitness.deactivate()
    compare(before, state())
    import psycopg_pool
    print("poolwitness.agent" in sys.modules)
    """
    )
    ran = run(program, environment())
    assert ran.stdout == b"1 1\nTrue\nFalse\n"
    assert ran.stderr == b""


@pytest.mark.matrix
def test_deactivated_with_pools_alive(dsn: str) -> None:
    program = (
        IN_CODE.format(imported="import psycopg_pool")
        + """
    from psycopg_pool import ConnectionPool
    pools = []
    before = state()
    for turn in range(10):
        poolwitness.activate(sweep_s="0.01")
        changed = sum(dict(owner.__dict__) != before[0][owner.__name__] for owner in (ConnectionPool, psycopg_pool.AsyncConnectionPool))
        pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True, num_workers=1)
        pools.append(pool)
        conns = [one.getconn() for one in pools]
        poolwitness.deactivate()
        for one, conn in zip(pools, conns):
            conn.execute("select 1")
            conn.commit()
            one.putconn(conn)
        assert changed == 2, changed
    poolwitness.deactivate()
    print(sum("poolwitness" in thread.name for thread in threading.enumerate()))
    for pool in pools:
        with pool.connection() as conn:
            conn.execute("select 1")
        pool.close()
    compare(before, state())
    """
    )
    ran = run(program, environment(DSN=dsn))
    assert ran.own_stderr == b""
    assert ran.stdout == b"0\nTrue\n"
    assert len(ran.named("poolwitness.agent.started")) == 10
    assert not ran.named("poolwitness.verdict")
    assert not ran.named("poolwitness.agent.part_disabled")


def test_what_somebody_else_patched_since_is_left_alone() -> None:
    program = """
        import poolwitness, psycopg_pool
        poolwitness.activate()
        ours = psycopg_pool.ConnectionPool.close
        def close(self, timeout=5.0):
            return ours(self, timeout)
        psycopg_pool.ConnectionPool.close = close
        poolwitness.deactivate()
        print(psycopg_pool.ConnectionPool.close is close)
        with psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1) as pool:
            pass
        print(pool.closed)
    """
    ran = run(program, environment())
    assert (ran.stdout, ran.stderr, ran.status) == (b"True\nTrue\n", b"", 0)
