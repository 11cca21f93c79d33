"""A pool that goes out of scope at the end of the function that made it, and dies there as it does without
the agent.

expect: PW002 at made
"""

import os
import sys
import weakref
from typing import Any

from psycopg_pool import ConnectionPool

watched: list["weakref.ref[Any]"] = []


def total() -> int:
    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
    pool.wait()
    watched.append(weakref.ref(pool))
    print("references:", sys.getrefcount(pool))
    with pool.connection() as conn:
        row = conn.execute("select sum(n) from generate_series(1, 10) n").fetchone()
        return int(row[0]) if row else 0


print(total())
print("gone:", watched[0]() is None)
