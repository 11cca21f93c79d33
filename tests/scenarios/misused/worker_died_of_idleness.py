"""A worker that nobody gave work for a day dies of queue.Empty; here the day passes in a fraction of a
second.

only: pool>=3.2, pool<3.3.3
expect: PW301 at made
"""

import os
import queue
import threading
import time
from typing import Any

from psycopg_pool import NullConnectionPool, _acompat


def get_in_a_hurry(self: Any, block: bool = True, timeout: float | None = None) -> Any:
    return queue.Queue.get(self, block, 0.3 if timeout is None else timeout)


_acompat.Queue.get = get_in_a_hurry  # type: ignore[method-assign]  # instead of 24 hours

pool = NullConnectionPool(os.environ["DSN"], open=True, max_size=1, num_workers=1, name="shop")  # mark: made
with pool.connection() as conn:
    print(conn.execute("select 'busy'").fetchone())
while any(thread.name == "shop-worker-0" for thread in threading.enumerate()):
    time.sleep(0.01)
print("the worker has gone, the pool is closed:", pool.closed)
pool.close()
