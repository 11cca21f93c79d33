"""Every warning is an error, as in some test suites: none may come from the agent.

env: PYTHONWARNINGS=error
expect: clean
"""

import os
import warnings

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    with pool.connection() as conn:
        print(conn.execute("select 'no warnings'").fetchone())
print(len(warnings.filters) > 0, warnings.showwarning.__module__)
