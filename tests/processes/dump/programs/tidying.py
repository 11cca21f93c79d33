"""A daemon that closes every descriptor while its pool is open, and opens files that get the same numbers."""

from __future__ import annotations

import os
import sys
import tempfile

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="tidy")
os.closerange(3, 4096)
files = [tempfile.TemporaryFile() for _ in range(600)]  # noqa: SIM115 - they stay open
sys.stdout.write("READY\n")
sys.stdout.flush()
os.read(0, 1)
for file in files:
    file.write(b"its own bytes")
    file.seek(0)
    assert file.read() == b"its own bytes"
pool.close()
sys.stdout.write("ENDED\n")
