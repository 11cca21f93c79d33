"""Code that was never in a file makes a pool and closes it: templates, notebooks, rule engines.

expect: clean
"""

import os

SOURCE = """
from psycopg_pool import ConnectionPool
with ConnectionPool(DSN, open=False, min_size=1) as pool:
    with pool.connection() as conn:
        result = conn.execute("select 'from nowhere'").fetchone()
"""

names = {"DSN": os.environ["DSN"]}
exec(compile(SOURCE, "<rule 17>", "exec"), names)
print(names["result"])
