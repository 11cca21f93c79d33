"""A pool for each database, made once by a cached function.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
from functools import lru_cache

from psycopg_pool import ConnectionPool


@lru_cache(maxsize=8)
def pool_for(dsn: str) -> ConnectionPool:
    return ConnectionPool(dsn, open=True, min_size=1, num_workers=1)  # mark: made


for word in "made", "only", "once":
    with pool_for(os.environ["DSN"]).connection() as conn:
        print(conn.execute("select %s::text", (word,)).fetchone())
