"""Ctrl-C that the program catches, to leave with a status of its own.

signal: SIGINT
status: 130
expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
import sys
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
try:
    with pool.connection() as conn:
        conn.execute("select 1")
    print("READY", flush=True)
    threading.Event().wait(60)
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(130)
