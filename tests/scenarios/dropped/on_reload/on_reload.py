"""A development server that reloads its modules: the pool of the old module is dropped, that of the new one
stays open.

expect: PW002 at made
expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import importlib

import shop_database  # type: ignore[import-not-found]  # lies beside this file

print(shop_database.ping())
importlib.reload(shop_database)
print(shop_database.ping())
