"""A pool that is an attribute of a class.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool


class Repository:
    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made

    def greeting(self) -> str:
        with self.pool.connection() as conn:
            row = conn.execute("select 'hello from the class'").fetchone()
            return str(row[0]) if row else ""


if __name__ == "__main__":
    print(Repository().greeting())
