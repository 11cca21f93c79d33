"""Constructors that raise make no pool; the third call is right.

expect: clean
"""

import os
from typing import Any

from psycopg_pool import ConnectionPool

wrong: list[dict[str, Any]] = [{"min_size": 5, "max_size": 2}, {"size": 5}, {"num_workers": 0}]
for options in wrong:
    try:
        ConnectionPool(os.environ["DSN"], **options)
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        print(conn.execute("select 'third time lucky'").fetchone())
