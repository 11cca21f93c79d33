"""Describe a new pool: its class, name and arguments, and the database it connects to without any secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from poolwitness.guards import let_pass
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.locations import Database
from poolwitness.model.records import PoolInfo

# A value that is itself a conninfo or a URI may hold a password: `dbname` accepts both in libpq.
_SUSPICIOUS = re.compile(r"://|=|\s|[\x00-\x1f\x7f]|:.*@")
_LONGEST = 255


def describe(pool: Any, tracked: TrackedPool, is_async: bool) -> None:
    """Record what the finished constructor left on the pool."""
    cls = type(pool)
    module = str(cls.__module__)
    if module.startswith("psycopg_pool"):
        module = "psycopg_pool"
    tracked.min_size = getattr(pool, "_min_size", 0)
    tracked.max_size = getattr(pool, "_max_size", None)
    tracked.info = PoolInfo(
        id=tracked.id,
        name=_plain_name(pool.name),
        cls=f"{module}.{cls.__qualname__}",
        is_async=is_async,
        is_null=any(base.__name__.endswith("NullConnectionPool") for base in cls.__mro__),
        created=tracked.creation.stack,
        created_at=tracked.creation.at,
        created_in=tracked.creation.runner,
        num_workers=getattr(pool, "num_workers", 0),
        database=database_of(getattr(pool, "conninfo", ""), getattr(pool, "kwargs", None)),
        pid=tracked.pid,
        has_check=getattr(pool, "_check", None) is not None,
        has_reset=getattr(pool, "_reset", None) is not None,
        django_alias=tracked.creation.django_alias,
    )


def _plain_name(name: Any) -> str:
    """The pool's name as a plain str, without running a method that the application may have overridden."""
    if isinstance(name, str):
        return str.__str__(name) or "?"
    return f"<{type(name).__name__}>"


def database_of(conninfo: Any, kwargs: Any) -> Database:
    """The database that a pool connects to, from its arguments: never a password, never a callable's answer.

    Args:
        conninfo: a connection string, a URI, or a callable (psycopg_pool 3.3), which is not called.
        kwargs: keyword arguments for connect, or a callable, which is not called.

    Returns:
        What is safe to report; a conninfo that does not parse gives an empty Database.
    """
    try:
        return _read(conninfo, kwargs)
    except Exception as error:  # noqa: BLE001 - libpq's message quotes the string; an application's mapping may raise
        let_pass(error)
        return Database()


def _read(conninfo: Any, kwargs: Any) -> Database:
    params: dict[str, Any] = {}
    if isinstance(conninfo, str):
        from psycopg import conninfo as parser

        params.update(parser.conninfo_to_dict(str.__str__(conninfo)))
    elif conninfo:
        return Database()
    if isinstance(kwargs, Mapping):
        params.update({key: kwargs[key] for key in ("host", "port", "dbname", "user") if key in kwargs})
    if any("@" in str(params.get(key) or "")[1:] for key in ("host", "port", "dbname")):
        # A URI whose password has an unescaped / or @ in it: libpq reads the rest of the password as one of these.
        return Database()
    return Database(
        host=_plain(params.get("host") or params.get("hostaddr")),
        port=_port(params.get("port")),
        dbname=_plain(params.get("dbname")),
        user=_plain(params.get("user")),
    )


def _plain(value: Any) -> str | None:
    # A plain str: a subclass may have overridden any method, and must not be kept alive.
    text = str.__str__(value) if isinstance(value, str) else ""
    return None if not text or len(text) > _LONGEST or _SUSPICIOUS.search(text) else text


def _port(value: Any) -> int | None:
    text = str.__str__(value) if isinstance(value, str) else int.__repr__(value) if isinstance(value, int) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
