"""Some pools, a thread that has a connection, and a main thread that is blocked until a line comes on stdin.

The words: how many pools, and what the main thread is blocked in.
"""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg_pool import ConnectionPool

count, blocked_in = int(sys.argv[1]), sys.argv[2]
pools = [
    ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name=name)  # mark: made
    for name in [f"pool {number}" for number in range(count)]
]
taken, told, lock = threading.Event(), threading.Event(), threading.Lock()
box: queue.Queue[int] = queue.Queue()


@contextmanager
def connection() -> Iterator[Any]:
    with pools[0].connection() as conn:  # mark: taken
        yield conn


def hold() -> None:
    with connection() as conn:  # mark: called
        conn.execute("select 1")
        taken.set()
        told.wait()  # mark: stands


def listen() -> None:
    # Not through sys.stdin, whose lock would be left taken where this thread is frozen.
    os.read(0, 1)
    told.set()
    box.put(1)
    lock.release()


def busy() -> None:
    while not told.is_set():
        sum(range(1000))


def asleep() -> None:
    while not told.is_set():
        time.sleep(2)


def in_the_pool() -> None:
    with pools[0].connection(timeout=600) as conn:
        conn.execute("select 1")


holder = threading.Thread(target=hold, name="holder")
holder.start()
taken.wait()
if blocked_in == "select":
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    select.select([0], [], [])
    told.set()
else:
    lock.acquire()
    threading.Thread(target=listen, name="listener", daemon=True).start()
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    blocking: dict[str, Callable[[], object]] = {
        "lock": lock.acquire,
        "sleep": asleep,
        "join": holder.join,
        "queue": box.get,
        "condition": told.wait,
        "pool": in_the_pool,
        "busy": busy,
    }
    blocking[blocked_in]()
holder.join()
for pool in pools:
    pool.close()
sys.stdout.write("ENDED\n")
