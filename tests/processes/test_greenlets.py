"""Under gevent greenlets pass for threads, and under uvloop a loop has no frames: both are told as what they are."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.support.programs import environment, run

pytestmark = [
    pytest.mark.servers,
    pytest.mark.matrix,
    pytest.mark.per_python,
    pytest.mark.skipif(sys.platform == "win32" or sys.version_info >= (3, 15), reason="not installed there"),
]
OFTEN = {"POOLWITNESS_HELD_S": "0.5", "POOLWITNESS_SWEEP_S": "0.1"}

GREENLETS = """
    from gevent import monkey
    monkey.patch_all()

    import os, sys, threading
    import gevent
    from gevent.event import Event
    from psycopg_pool import ConnectionPool, PoolTimeout

    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=2, max_size=2, num_workers=1, timeout=0.3)

    def ask():
        with pool.connection() as conn:
            return conn.execute("select 42").fetchone()[0]

    def hold():
        with pool.connection():
            taken.set()
            over.wait()

    print(sorted(job.get() for job in [gevent.spawn(ask) for _ in range(10)]))
    over = Event()
    holders = []
    for _ in range(2):
        taken = Event()
        holders.append(gevent.spawn(hold))
        taken.wait()
    try:
        ask()
    except PoolTimeout as error:
        print(error)
    gevent.sleep(1.5)
    over.set()
    gevent.joinall(holders)
    print(sorted(thread.name for thread in threading.enumerate() if thread.name != "poolwitness-sweeper"))
    if len(sys.argv) < 2:
        pool.close()
"""

ON_UVLOOP = """
    import asyncio, os
    import uvloop
    from psycopg_pool import AsyncConnectionPool, PoolTimeout

    async def hold(pool, taken, over):
        async with pool.connection():
            taken.set()
            await over.wait()

    async def main():
        over = asyncio.Event()
        async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1, timeout=0.3) as pool:
            taken = asyncio.Event()
            task = asyncio.create_task(hold(pool, taken, over), name="holder")
            await taken.wait()
            try:
                await pool.getconn()
            except PoolTimeout as error:
                print(error)
            over.set()
            await task

    uvloop.run(main())
"""


@pytest.mark.parametrize("level", ["watch", "trace"])
@pytest.mark.parametrize(
    ("program", "library"), [(GREENLETS, "gevent"), (ON_UVLOOP, "uvloop")], ids=["gevent", "uvloop"]
)
def test_holders_are_told_as_what_they_are(program: str, library: str, level: str, dsn: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.fail(f"{library} is not installed: pip install '.[servers]'")
    off = run(program, environment(DSN=dsn))
    on = run(program, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_LEVEL=level, **OFTEN))
    assert (on.stdout, on.status) == (off.stdout, off.status)
    assert b"couldn't get a connection" in on.stdout
    names = [row["poolwitness.holder"] for row in on.named("poolwitness.holder")]
    if library == "uvloop":
        assert (on.rules, names) == (["PW201"], ["holder"])
        assert "called at" not in on.named("poolwitness.finding")[0]["message"]
        return
    # Held for long, and given back: nobody has ended.
    assert sorted(on.rules) == ["PW103", "PW103", "PW201"]
    assert len(on.named("poolwitness.finding.resolved")) == 2
    assert len(set(names)) == 2 and all(name.startswith("Greenlet-") for name in names)
    for row in on.named("poolwitness.holder"):
        assert row["poolwitness.holder_alive"] is True
        assert "; now at " in row["message"] and " in hold" in row["message"]


def test_a_pool_left_open_is_not_expected_to_hold_up_the_exit(dsn: str) -> None:
    off = run(GREENLETS, environment(DSN=dsn), "open")
    on = run(GREENLETS, environment(DSN=dsn, POOLWITNESS="1"), "open")
    assert (on.stdout, on.status) == (off.stdout, off.status)
    (finding,) = (found for found in on.named("poolwitness.finding") if found["poolwitness.rule"] == "PW001")
    assert finding["poolwitness.expected_exit_delay_s"] == 0.0
    assert "its server connections are dropped without a goodbye" in finding["message"]
