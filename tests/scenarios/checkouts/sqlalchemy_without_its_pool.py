"""SQLAlchemy takes its connections from a pool of psycopg, and close() returns them.

only: pool>=3.3
expect: clean
"""

import os
import threading
from typing import Any

from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=3, close_returns=True, open=True) as pool:
    engine: Any = create_engine("postgresql+psycopg://", creator=pool.getconn, poolclass=NullPool)

    def work() -> None:
        for number in range(10):
            with engine.begin() as connection:
                assert connection.scalar(text("select :number"), {"number": number}) == number

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
print("done")
