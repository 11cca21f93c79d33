"""A command that ends with sys.exit(3) and leaves its pool to the interpreter.

status: 3
argv: --limit 2
expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import argparse
import os
import sys

from psycopg_pool import ConnectionPool

parser = argparse.ArgumentParser()
parser.add_argument("--limit", type=int, required=True)
options = parser.parse_args()

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
with pool.connection() as conn:
    print(conn.execute("select generate_series(1, %s)", (options.limit,)).fetchall())
sys.exit(3)
