"""The program handles SIGTERM itself, from a later moment on than the agent: its handler is the one that counts.

env: POOLWITNESS_SIGTERM=1
signal: SIGTERM
status: 7
expect: clean
"""

import os
import signal
import sys
import threading
from types import FrameType

from psycopg_pool import ConnectionPool


def stop(number: int, frame: "FrameType | None") -> None:
    print("stopping")
    sys.exit(7)


with ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1) as pool:
    with pool.connection() as conn:
        conn.execute("select 1")
    signal.signal(signal.SIGTERM, stop)
    print("READY", flush=True)
    threading.Event().wait(60)
