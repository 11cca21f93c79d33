"""An exception of the program's that lands in our lines comes out, disables nothing, and loses nothing.

The lines are tried one after the other by a trace function.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.programs import ON, environment, run

PROGRAM = Path(__file__).with_name("programs") / "line_by_line.py"
# The least number of lines that each must meet, or nothing was tested.
WORKS = {"Checkouts": 50, "Null": 100, "Lives": 250, "Asynchronous": 500, "Sweeps": 700}


def lines(work: str, kind: str, dsn: str, times: int = 1, **variables: str) -> None:
    ran = run(
        PROGRAM.read_text(),
        environment(DSN=dsn, POOLWITNESS_SWEEP_S="0.005", **ON, **variables),
        work,
        kind,
        str(times),
        timeout_s=280,
    )
    assert ran.status == 0, ran.own_stderr.decode()
    found = json.loads(ran.stdout.splitlines()[-1])
    assert not found["problems"], "\n".join(found["problems"])
    assert found["tried"] >= WORKS[work]
    assert not ran.named("poolwitness.agent.part_disabled")
    # What is suspected of the pool itself would come from records that were left half written.
    assert not {"PW101", "PW102", "PW107", "PW205", "PW301"} & set(ran.rules)


@pytest.mark.parametrize("kind", ["Limit", "Attribute"])
def test_at_each_line_around_a_checkout(kind: str, dsn: str) -> None:
    lines("Checkouts", kind, dsn, times=2)


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS)
def test_at_each_line(work: str, dsn: str) -> None:
    lines(work, "Limit", dsn)


FIRST_POOL = """
    import os, signal, time
    from psycopg_pool import ConnectionPool
    class Limit(Exception):
        pass
    def boom(*_):
        raise Limit
    signal.signal(signal.SIGALRM, boom)
    for delay_s in [0.001 * number for number in range(1, 26, 2)]:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            continue
        try:
            signal.setitimer(signal.ITIMER_REAL, delay_s)
            pool = ConnectionPool(os.environ["DSN"], open=False)
            time.sleep(1)
            print("LIMIT LOST", flush=True)
        except Limit:
            with ConnectionPool(os.environ["DSN"], min_size=1, max_size=1, open=False) as pool:
                with pool.connection() as conn:
                    print("limit kept", conn.execute("select 1").fetchone(), flush=True)
            import poolwitness.agent
            print(poolwitness.agent.current().ledger.totals["closed"], flush=True)
        os._exit(0)
"""


def test_during_the_first_pool(dsn: str) -> None:
    ran = run(FIRST_POOL, environment(DSN=dsn, **ON))
    assert ran.stdout == b"limit kept (1,)\n1\n" * 13, ran.stdout.decode() + ran.own_stderr.decode()
    assert b"poolwitness.agent.failed" not in ran.stderr
