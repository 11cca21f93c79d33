"""A pool made on first use and kept by a singleton.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

from __future__ import annotations

import os

from psycopg_pool import ConnectionPool


class Database:
    _instance: Database | None = None

    def __new__(cls) -> Database:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
            cls._instance.pool = cls._connect()
        return cls._instance

    @staticmethod
    def _connect() -> ConnectionPool:
        return ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made

    pool: ConnectionPool


for _ in range(3):
    with Database().pool.connection() as conn:
        print(conn.execute("select 'one of a kind'").fetchone())
