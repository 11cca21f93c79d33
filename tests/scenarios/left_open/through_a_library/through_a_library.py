"""A pool made inside an installed library: the line to open is the application's, which called the library.

expect: PW001 at called
expect: PW003 at called  [python>=3.13, pool>=3.2]
"""

import os

import shopdb  # type: ignore[import-not-found]  # installed outside the application


def main() -> None:
    store = shopdb.Store(os.environ["DSN"])  # mark: called
    keep.append(store)
    print(store.ping())


keep: list[object] = []
main()
