"""A subclass that does something before and after, with a with block.

expect: clean
"""

import os
from typing import Any

from psycopg_pool import ConnectionPool


class CountingPool(ConnectionPool):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.given = 0
        super().__init__(*args, **kwargs)

    def getconn(self, timeout: float | None = None) -> Any:
        self.given += 1
        return super().getconn(timeout)

    def close(self, timeout: float = 5.0) -> None:
        print("closing after", self.given)
        super().close(timeout)


with CountingPool(os.environ["DSN"], open=False, min_size=1) as pool:
    for _ in range(3):
        with pool.connection() as conn:
            conn.execute("select 1")
