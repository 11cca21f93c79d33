"""A SQLAlchemy connection is kept open while the pool below it closes.

only: pool>=3.3
expect: PW102 at taken
"""

import os
from typing import Any

from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=3, close_returns=True, open=True)
engine: Any = create_engine("postgresql+psycopg://", creator=pool.getconn, poolclass=NullPool)
connection = engine.connect()  # mark: taken
print(connection.scalar(text("select 1")))
pool.close()
