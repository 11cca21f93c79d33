"""Two pools, one inside the other, left by a return.

expect: clean
"""

import os

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]


def copy_over() -> int:
    with ConnectionPool(DSN, open=True, min_size=1, name="source") as source:
        with ConnectionPool(DSN, open=True, min_size=1, name="target") as target:
            with source.connection() as reader, target.connection() as writer:
                writer.execute("create temporary table copied (n int) on commit drop")
                for row in reader.execute("select generate_series(1, 10)"):
                    writer.execute("insert into copied values (%s)", row)
                count = writer.execute("select count(*) from copied").fetchone()
                return int(count[0]) if count else 0


print(copy_over())
