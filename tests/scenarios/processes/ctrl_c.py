"""Ctrl-C in a program that left its pool at module level.

signal: SIGINT
status: -2
expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
import time

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made


def main() -> None:
    with pool.connection() as conn:
        conn.execute("select 1")
    print("READY", flush=True)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
