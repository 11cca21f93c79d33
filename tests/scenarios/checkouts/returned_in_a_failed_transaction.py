"""A statement failed and the connection is put back as it is.

expect: PW104 at returned
"""

import os

import psycopg
from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    conn = pool.getconn()
    try:
        conn.execute("select 1 / 0")
    except psycopg.Error as error:
        print(type(error).__name__)
    pool.putconn(conn)  # mark: returned
