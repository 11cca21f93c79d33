"""A program with pools and checkouts in motion, which acknowledges all that it does: to be killed at any moment.

Takes the path of its journal; the database is in DSN.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from psycopg_pool import ConnectionPool, PoolTimeout

from tests.processes.blackbox.journal import ASKING, CLOSING, GIVING_BACK, HAS, MADE, MAKING, NOTHING, Journal

TAKERS = 6
MAKERS = 2


def take_here(pool: ConnectionPool[Any]) -> Any:
    """One line that takes."""
    return pool.getconn(timeout=5)


def take_there(pool: ConnectionPool[Any]) -> Any:
    """Another one."""
    return pool.getconn(timeout=5)


WAYS = ((take_here, take_here.__code__.co_firstlineno + 2), (take_there, take_there.__code__.co_firstlineno + 2))


def take_and_give_back(journal: Journal, page: int, pools: list[ConnectionPool[Any]]) -> None:
    """A thread that takes and returns for ever, now from this pool and now from that."""
    name = threading.current_thread().name
    dice = random.Random(page)
    while True:
        pool, (take, line) = dice.choice(pools), dice.choice(WAYS)
        journal.write(page, ASKING, name, pool.name, line)
        try:
            conn = take(pool)
        except PoolTimeout:
            journal.write(page, NOTHING)
            continue
        journal.write(page, HAS)
        if dice.random() < 0.2:
            time.sleep(dice.random() / 100)
        journal.write(page, GIVING_BACK)
        pool.putconn(conn)
        journal.write(page, NOTHING)


def make_and_close(journal: Journal, page: int, dsn: str) -> None:
    """A thread that makes pools, uses each once and closes it."""
    number = 0
    while True:
        number += 1
        name = f"made-{page}-{number}"
        line = sys._getframe().f_lineno + 2
        journal.write(page, MAKING, name, name, line)
        pool: ConnectionPool[Any] = ConnectionPool(dsn, min_size=1, num_workers=1, name=name, open=True)
        journal.write(page, MADE)
        with pool.connection():
            time.sleep(random.random() / 100)
        journal.write(page, CLOSING)
        pool.close()
        journal.write(page, NOTHING)


def main() -> None:
    """Begin, say so, and go on until killed."""
    logging.disable(logging.CRITICAL)
    journal = Journal(Path(sys.argv[1]))
    dsn = os.environ["DSN"]
    pools: list[ConnectionPool[Any]] = []
    for number in range(2):
        line = sys._getframe().f_lineno + 2
        journal.write(number, MAKING, f"kept-{number}", f"kept-{number}", line)
        pools.append(ConnectionPool(dsn, min_size=2, max_size=2, name=f"kept-{number}", open=True))
        journal.write(number, MADE)
    for page in range(2, 2 + TAKERS):
        arguments = journal, page, pools
        threading.Thread(target=take_and_give_back, args=arguments, name=f"taker-{page}", daemon=True).start()
    for page in range(2 + TAKERS, 2 + TAKERS + MAKERS):
        threading.Thread(target=make_and_close, args=(journal, page, dsn), name=f"maker-{page}", daemon=True).start()
    os.write(1, b"ready\n")
    time.sleep(600)


if __name__ == "__main__":
    main()
