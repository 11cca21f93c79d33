"""A callback that takes its time, and a worker that waits for work all along: nobody is stuck.

env: POOLWITNESS_HELD_S=3
env: POOLWITNESS_SWEEP_S=0.1
expect: clean
"""

import os
import time
from typing import Any

from psycopg_pool import ConnectionPool


def configure(conn: Any) -> None:
    time.sleep(0.4)


with ConnectionPool(os.environ["DSN"], open=True, min_size=2, num_workers=2, configure=configure) as pool:
    for _ in range(3):
        with pool.connection() as conn:
            print(conn.execute("select 1").fetchone())
        time.sleep(1.3)
