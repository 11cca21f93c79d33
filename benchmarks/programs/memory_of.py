"""Counts the bytes that Python has allocated: one turn prints them for one thing.

Arguments: a conninfo. Orders: ``pool`` prints bytes a live pool, ``checkout`` bytes a live checkout, ``new`` bytes a
live checkout of a connection that is new to a thread that is not, ``again`` bytes one that is new to neither,
``closed`` bytes that stay a pool closed, ``dropped`` bytes that stay a pool dropped open, ``rss`` the
process's kilobytes.
"""

import gc
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable

tracemalloc.start(1)

from psycopg import Connection  # noqa: E402 - imports count too
from psycopg_pool import ConnectionPool, NullConnectionPool  # noqa: E402 - imports count too

NOWHERE = "host=127.0.0.1 port=1 dbname=nowhere"
LIVE_POOLS = 100
LIVE_CHECKOUTS = 100
FIRST_CLOSED = 1_000
CLOSED = 5_000
FIRST_DROPPED = 200
DROPPED = 1_000
kept: list[object] = []


def traced() -> int:
    """The bytes allocated now, garbage left out."""
    for _ in range(3):
        gc.collect()
    return tracemalloc.get_traced_memory()[0]


def live_pools() -> float:
    """Open pools and keep them."""
    for _ in range(5):
        ConnectionPool(NOWHERE, min_size=0, max_size=4, open=True).close()
    before = traced()
    for _ in range(LIVE_POOLS):
        kept.append(ConnectionPool(NOWHERE, min_size=0, max_size=4, open=True))
    return (traced() - before) / LIVE_POOLS


def live_checkouts() -> float:
    """Take connections, each in a thread of its own, as requests do."""
    pool = ConnectionPool(sys.argv[1], min_size=LIVE_CHECKOUTS + 1, open=True)
    kept.append(pool)
    pool.wait(60)
    release = threading.Event()

    def hold(taken: threading.Semaphore) -> None:
        conn = pool.getconn()
        taken.release()
        release.wait()
        pool.putconn(conn)

    def start(count: int) -> list[threading.Thread]:
        taken = threading.Semaphore(0)
        threads = [threading.Thread(target=hold, args=(taken,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for _ in threads:
            taken.acquire()
        return threads

    threads = start(1)
    before = traced()
    threads += start(LIVE_CHECKOUTS)
    after = traced()
    release.set()
    for thread in threads:
        thread.join()
    return (after - before) / LIVE_CHECKOUTS


def live_checkouts_of_one_thread() -> float:
    """Take connections that have not been taken before, in a thread that has had others."""
    pool = ConnectionPool(sys.argv[1], min_size=LIVE_CHECKOUTS + 2, open=True)
    kept.append(pool)
    pool.wait(60)

    def take(count: int) -> list[Connection]:
        # One line for all: a second line would be a finding, and that is not what is counted.
        return [pool.getconn() for _ in range(count)]

    taken = take(2)
    before = traced()
    taken += take(LIVE_CHECKOUTS)
    after = traced()
    for conn in taken:
        pool.putconn(conn)
    return (after - before) / LIVE_CHECKOUTS


def live_checkouts_again() -> float:
    """Take connections in threads that have had one before, as those of a server have."""
    pool = ConnectionPool(sys.argv[1], min_size=LIVE_CHECKOUTS, open=True)
    kept.append(pool)
    pool.wait(60)
    all_have, none_has = threading.Barrier(LIVE_CHECKOUTS + 1), threading.Barrier(LIVE_CHECKOUTS + 1)
    go, release = threading.Event(), threading.Event()

    def hold() -> None:
        conn = pool.getconn()
        all_have.wait()
        pool.putconn(conn)
        none_has.wait()
        go.wait()
        conn = pool.getconn()
        all_have.wait()
        release.wait()
        pool.putconn(conn)

    threads = [threading.Thread(target=hold) for _ in range(LIVE_CHECKOUTS)]
    for thread in threads:
        thread.start()
    all_have.wait()
    none_has.wait()
    before = traced()
    go.set()
    all_have.wait()
    after = traced()
    release.set()
    for thread in threads:
        thread.join()
    return (after - before) / LIVE_CHECKOUTS


def closed_pools() -> float:
    """Open and close pools; the first ones fill what is bounded."""
    before = 0
    for number in range(FIRST_CLOSED + CLOSED):
        if number == FIRST_CLOSED:
            before = traced()
        NullConnectionPool(NOWHERE, max_size=1, num_workers=1, open=True).close()
    return (traced() - before) / CLOSED


def dropped_pools() -> float:
    """Drop open pools: each is a finding."""
    before = 0
    for number in range(FIRST_DROPPED + DROPPED):
        if number == FIRST_DROPPED:
            before = traced()
        NullConnectionPool(NOWHERE, max_size=1, num_workers=1, open=True)
    ConnectionPool(NOWHERE, min_size=0, max_size=4, open=True).close()
    return (traced() - before) / DROPPED


def rss() -> float:
    """Kilobytes that the process occupies."""
    import psutil

    return psutil.Process().memory_info().rss / 1024


def main() -> None:
    """Answer orders until there are no more."""
    orders: dict[str, Callable[[], float]] = {
        "pool": live_pools,
        "checkout": live_checkouts,
        "new": live_checkouts_of_one_thread,
        "again": live_checkouts_again,
        "closed": closed_pools,
        "dropped": dropped_pools,
        "rss": rss,
    }
    for line in sys.stdin:
        print(orders[line.strip()](), flush=True)
    # The pools are still open: on Python 3.13 they would hold up the end.
    os._exit(0)


if __name__ == "__main__":
    main()
