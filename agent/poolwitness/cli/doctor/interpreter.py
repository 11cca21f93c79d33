"""Facts about this interpreter: installed versions, libpq, and what happens to unclosed pools."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from poolwitness.snapshot.versions import COMPONENTS, parse_version

PACKAGES = ("psycopg", "psycopg_pool", "psutil", "structlog")


def versions() -> dict[str, str | None]:
    """The version of each relevant package, None if it is not installed; none of them is imported."""
    found: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def components() -> dict[str, tuple[int, ...]]:
    """The versions in the form that the table of known defects uses."""
    packages = {name: parse_version(text) for name, text in versions().items() if text and name in COMPONENTS}
    return {"python": tuple(sys.version_info[:3]), **packages}


def psycopg() -> tuple[str | None, str]:
    """How psycopg reaches libpq: its implementation, and libpq's version; None and the reason if it cannot."""
    try:
        from psycopg import pq

        number = pq.version()
    except Exception as error:  # noqa: BLE001 - a broken libpq can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        return None, f"psycopg cannot be imported here: {reason}"
    return pq.__impl__, f"libpq {number // 10000}.{number % 10000}"


def at_exit(version: tuple[int, ...] = sys.version_info[:3]) -> str:
    """One sentence on what happens to an unclosed synchronous pool at exit (psycopg issues 930 and 954)."""
    release = ".".join(str(part) for part in version[:2])
    if version < (3, 13):
        return f"Python {release} ends at once; the server sees the pool's connections drop."
    if version < (3, 14):
        return f"Python {release} waits up to 5 s for each thread of the pool, in turn: 20 s for a default pool."
    return f"Python {release} prints a PythonFinalizationError traceback for the pool and ends at once."
