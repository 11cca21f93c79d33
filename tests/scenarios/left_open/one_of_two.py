"""Two pools made by one line in a loop; the program closes the first and forgets the second.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]

pools = {}
for role in "primary", "replica":
    pools[role] = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name=role)  # mark: made

for role, pool in pools.items():
    with pool.connection() as conn:
        print(role, conn.execute("select 1").fetchone())

pools["primary"].close()
