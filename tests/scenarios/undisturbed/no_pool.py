"""psycopg_pool imported, and no pool made: there is nothing to say.

expect: silence
"""

import psycopg_pool

print(psycopg_pool.ConnectionPool.__name__)
