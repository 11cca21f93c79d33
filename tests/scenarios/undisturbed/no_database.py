"""A program that has nothing to do with databases.

status: 2
expect: silence
"""

import sys

print("structlog" in sys.modules, "psutil" in sys.modules, "psycopg_pool" in sys.modules)
sys.exit(2)
