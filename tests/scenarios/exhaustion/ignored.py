"""A program that expects its pool to be exhausted says so.

env: POOLWITNESS_IGNORE=PW201:*/ignored.py
expect: clean
"""

import os

from psycopg_pool import ConnectionPool, PoolTimeout

with ConnectionPool(os.environ["DSN"], min_size=1, timeout=0.3, open=True) as pool:
    pool.wait()
    with pool.connection() as conn:
        try:
            pool.getconn()
        except PoolTimeout as error:
            print(error)
