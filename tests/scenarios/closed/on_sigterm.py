"""A service that turns SIGTERM into an ordinary end.

signal: SIGTERM
expect: clean
"""

import os
import signal
import sys
import threading
from types import FrameType

from psycopg_pool import ConnectionPool


def stop(signum: int, frame: FrameType | None) -> None:
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        conn.execute("select 1")
    print("READY", flush=True)
    threading.Event().wait(60)
