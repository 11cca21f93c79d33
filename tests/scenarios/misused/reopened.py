"""A pool that was closed and is opened again: psycopg_pool refuses, since 3.3 with PoolClosed.

expect: PW005 at closed  [pool>=3.3]
"""

import os

from psycopg import OperationalError
from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1)


def start() -> None:
    pool.open(wait=True)


def stop() -> None:
    pool.close()  # mark: closed


start()
stop()
try:
    start()
except OperationalError as error:
    print(error)
