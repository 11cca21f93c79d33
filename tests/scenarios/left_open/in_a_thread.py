"""A pool that a thread makes and hands to the rest of the program.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
import threading

from psycopg_pool import ConnectionPool

pools: list[ConnectionPool] = []


def warm_up() -> None:
    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
    pool.wait()
    pools.append(pool)


starter = threading.Thread(target=warm_up)
starter.start()
starter.join()
with pools[0].connection() as conn:
    print(conn.execute("select 'warm'").fetchone())
