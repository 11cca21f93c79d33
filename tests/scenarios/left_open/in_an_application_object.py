"""An application object that makes its pool in its own __init__.

The line is inside an __init__, but not one of the pool's: it is the application's line.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool


class App:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.pool = ConnectionPool(dsn, open=True, min_size=1, num_workers=1)  # mark: made

    def run(self) -> None:
        with self.pool.connection() as conn:
            print(conn.execute("select 'running'").fetchone())


app = App(os.environ["DSN"])
app.run()
