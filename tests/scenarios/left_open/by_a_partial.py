"""A factory made with functools.partial: the application's line is the one that calls it.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
from functools import partial

from psycopg_pool import ConnectionPool

make = partial(ConnectionPool, open=True, min_size=1, num_workers=1)


class Store:
    def __init__(self) -> None:
        self.pool = make(os.environ["DSN"])  # mark: made


store = Store()
with store.pool.connection() as conn:
    print(conn.execute("select 'partial'").fetchone())
