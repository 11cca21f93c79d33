"""A null pool keeps no connections, but it keeps threads: left open it costs the same.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import NullConnectionPool

pool = NullConnectionPool(os.environ["DSN"], open=True, max_size=2, num_workers=1)  # mark: made

for _ in range(2):
    with pool.connection() as conn:
        print(conn.execute("select 'nothing kept'").fetchone())
