"""The adapters are registered where they belong: once for each new connection.

expect: clean
"""

import os
from typing import Any

from psycopg.types.string import StrDumper
from psycopg_pool import ConnectionPool, NullConnectionPool


class Name(str):
    pass


def configure(conn: Any) -> None:
    conn.adapters.register_dumper(Name, StrDumper)


dsn = os.environ["DSN"]
with ConnectionPool(dsn, min_size=2, configure=configure, open=True) as pool:
    for number in range(8):
        with pool.connection() as conn:
            print(conn.execute("select %s", (Name(f"row {number}"),)).fetchone())
with NullConnectionPool(dsn, max_size=2, configure=configure, open=True) as null_pool:
    for number in range(8):
        with null_pool.connection() as conn:
            print(conn.execute("select %s", (Name(f"row {number}"),)).fetchone())
