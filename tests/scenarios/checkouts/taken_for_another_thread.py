"""A framework enters a context manager in a thread of its own, as FastAPI does with a dependency, and works in another.

The thread that took the connection has ended, and yet it is in use.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW103 at taken, resolved
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True)


@contextmanager
def connection() -> Iterator[Any]:
    with pool.connection() as conn:  # mark: taken
        yield conn


dependency = connection()
with ThreadPoolExecutor() as executor:
    conn = executor.submit(dependency.__enter__).result()
print(conn.execute("select 'answer'").fetchone())
time.sleep(1.5)
with ThreadPoolExecutor() as executor:
    executor.submit(dependency.__exit__, None, None, None).result()
pool.close()
