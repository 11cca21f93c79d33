"""A subclass that closes itself in __del__: too late for a pool that lives as long as the program.

expect: PW001 at made
expect: PW003 at made  [python>=3.13]
"""

import os

from tidy_pools import TidyPool  # type: ignore[import-not-found]  # lies beside this file

pool = TidyPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
with pool.connection() as conn:
    print(conn.execute("select 'tidy'").fetchone())
