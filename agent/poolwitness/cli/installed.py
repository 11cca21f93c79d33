"""Which versions are installed beside this interpreter, found without importing what they belong to."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from poolwitness.snapshot.versions import COMPONENTS, parse_version

PACKAGES = ("psycopg", "psycopg_pool", "psutil", "structlog")


def versions() -> dict[str, str | None]:
    """The version of each package that matters here; None where it is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def components() -> dict[str, tuple[int, ...]]:
    """The versions in the form that the table of known defects takes."""
    installed: dict[str, tuple[int, ...]] = {"python": tuple(sys.version_info[:3])}
    for package, text in versions().items():
        if text is not None and package in COMPONENTS:
            installed[package] = parse_version(text)
    return installed


def psycopg() -> tuple[str | None, str]:
    """How psycopg reaches libpq.

    Returns:
        The implementation (``c``, ``binary`` or ``python``; None where psycopg does not import), and a
        sentence: libpq's version, or what stopped the import.
    """
    try:
        from psycopg import pq

        number = pq.version()
    except Exception as error:  # noqa: BLE001 - a broken libpq can raise anything, and that is the answer then
        reason = " ".join(str(error).split()) or type(error).__name__
        return None, f"psycopg cannot be imported here: {reason}"
    return pq.__impl__, f"libpq {number // 10000}.{number % 10000}"
