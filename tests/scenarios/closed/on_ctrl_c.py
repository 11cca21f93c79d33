"""Ctrl-C in a program that has its pool in a with block.

signal: SIGINT
status: -2
expect: clean
"""

import os
import time

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        conn.execute("select 1")
    print("READY", flush=True)
    while True:
        time.sleep(1)
