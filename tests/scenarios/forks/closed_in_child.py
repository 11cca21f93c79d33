"""A fork inside the pool's with block, and a child that leaves it by sys.exit: its goodbye ends the parent's session.

expect: PW401 at block
"""

import os
import sys

import psycopg
from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)
with pool:  # mark: block
    pool.wait()
    conn = pool.getconn()
    pool.putconn(conn)
    child = os.fork()
    if child == 0:
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    try:
        conn.execute("select 1")
    except psycopg.OperationalError as error:
        print("parent", status, type(error).__name__)
