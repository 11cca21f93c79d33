"""What a Python release does to a pool that is still open when the interpreter ends."""

from __future__ import annotations

import sys


def at_exit(version: tuple[int, ...] = sys.version_info[:3]) -> str:
    """One sentence on what happens to an unclosed synchronous pool at exit (psycopg issues 930 and 954).

    Args:
        version: of Python; this interpreter's by default.
    """
    release = ".".join(str(part) for part in version[:2])
    if version < (3, 13):
        return f"Python {release} ends at once; the server sees the pool's connections drop."
    if version < (3, 14):
        return f"Python {release} waits up to 5 s for each thread of the pool, in turn: 20 s for a default pool."
    return f"Python {release} prints a PythonFinalizationError traceback for the pool and ends at once."
