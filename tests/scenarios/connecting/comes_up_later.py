"""The server comes up after the pool: told while it was not there, and no more.

expect: PW202 at made
"""

import logging
import os
import tempfile
import time
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it repeats itself
params = conninfo_to_dict(os.environ["DSN"])
with tempfile.TemporaryDirectory() as folder:
    link = Path(folder, "server")
    conninfo = f"host={link} user={params['user']} dbname={params['dbname']} port={params.get('port') or 5432}"
    pool = ConnectionPool(conninfo, min_size=1, num_workers=1, open=True)  # mark: made
    while not pool.get_stats().get("connections_errors"):
        time.sleep(0.01)
    link.symlink_to(str(params["host"]))
    with pool, pool.connection() as conn:
        print(conn.execute("select 1").fetchone())
