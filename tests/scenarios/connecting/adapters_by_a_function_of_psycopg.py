"""An enum's adapters are registered on every connection that is taken, with psycopg's own function.

expect: PW204 at registered
"""

import enum
import os

from psycopg.types.enum import EnumInfo, register_enum
from psycopg_pool import ConnectionPool


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
    for _ in range(8):
        with pool.connection() as conn:
            conn.execute("create type pg_temp.colour as enum ('RED', 'BLUE')")
            info = EnumInfo.fetch(conn, "pg_temp.colour")
            assert info is not None
            register_enum(info, conn, Colour)  # mark: registered
            print(conn.execute("select 'RED'::pg_temp.colour").fetchone())
            conn.rollback()
