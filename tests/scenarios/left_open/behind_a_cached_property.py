"""A settings object that makes its pool when somebody asks for it.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
from dataclasses import dataclass
from functools import cached_property

from psycopg_pool import ConnectionPool


@dataclass
class Settings:
    dsn: str

    @cached_property
    def pool(self) -> ConnectionPool:
        return ConnectionPool(self.dsn, open=True, min_size=1, num_workers=1)  # mark: made


settings = Settings(os.environ["DSN"])
with settings.pool.connection() as conn:
    print(conn.execute("select 40 + 2").fetchone())
