"""Two lines make five pools each, for the same database: ten together.

expect: PW007 at reader or writer
"""

import os
from contextlib import ExitStack

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]

with ExitStack() as stack:
    for _ in range(5):
        reader = ConnectionPool(DSN, open=False, min_size=0, max_size=1, num_workers=1)  # mark: reader
        stack.enter_context(reader)
        writer = ConnectionPool(DSN, open=False, min_size=0, max_size=1, num_workers=1)  # mark: writer
        stack.enter_context(writer)
    with reader.connection() as source, writer.connection() as target:
        print(source.info.dbname == target.info.dbname)
