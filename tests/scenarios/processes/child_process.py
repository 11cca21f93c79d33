"""A program that runs another Python and reads what it prints: not a byte more than without the agent.

expect: clean
"""

import os
import subprocess
import sys

from psycopg_pool import ConnectionPool

CHILD = """
import os
from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        print(conn.execute("select 'child'").fetchone())
"""

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    print(repr(child.stdout))
