"""As uvicorn does it: the program stops on SIGTERM, closes its pool, restores the handler from before and dies of it.

env: POOLWITNESS_SIGTERM=1
signal: SIGTERM
status: -15
expect: clean
"""

import os
import signal
import threading

stopping = threading.Event()
before = signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())

from psycopg_pool import ConnectionPool  # noqa: E402 - a server imports the application when it handles signals already

with ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1) as pool:
    with pool.connection() as conn:
        conn.execute("select 1")
    print("READY", flush=True)
    stopping.wait(60)
print("closed", flush=True)
signal.signal(signal.SIGTERM, before)
signal.raise_signal(signal.SIGTERM)
