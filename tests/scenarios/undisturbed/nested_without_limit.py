"""A null pool without a limit makes as many connections as are asked for: a second one of a holder hurts nobody.

expect: clean
"""

import os

from psycopg_pool import NullConnectionPool

with NullConnectionPool(os.environ["DSN"], open=True) as pool:
    with pool.connection() as outer:
        with pool.connection() as inner:
            print(outer.execute("select 'outer'").fetchone(), inner.execute("select 'inner'").fetchone())
