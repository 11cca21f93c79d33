"""Has 50 pools with 500 connections out, each held by a thread; one turn prints a sweep's CPU milliseconds.

Arguments: a conninfo.
"""

import sys
import threading
import time

from psycopg_pool import ConnectionPool

from poolwitness.agent import current

POOLS = 50
CHECKOUTS_A_POOL = 10


def main() -> None:
    """Answer until there are no more orders."""
    pools = [
        ConnectionPool(sys.argv[1], min_size=CHECKOUTS_A_POOL, name=f"pool {number}", open=True)
        for number in range(POOLS)
    ]
    taken = threading.Semaphore(0)
    release = threading.Event()

    def hold(pool: ConnectionPool) -> None:
        conn = pool.getconn(timeout=120)
        taken.release()
        release.wait()
        pool.putconn(conn)

    for pool in pools:
        for _ in range(CHECKOUTS_A_POOL):
            threading.Thread(target=hold, args=(pool,), daemon=True).start()
    for _ in range(POOLS * CHECKOUTS_A_POOL):
        taken.acquire()
    for _ in sys.stdin:
        started = time.thread_time_ns()
        going_on = current().load().looking.sweep()
        print((time.thread_time_ns() - started) / 1e6 if going_on else float("nan"), flush=True)
    release.set()
    for pool in pools:
        pool.close(timeout=1)


if __name__ == "__main__":
    main()
