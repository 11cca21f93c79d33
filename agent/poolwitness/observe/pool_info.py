"""Where a pool connects to: host, port, database and user; never a password, never a callable's answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from poolwitness.model.locations import Database

# A value that is itself a conninfo or a URI may hold a password: `dbname` accepts both in libpq.
_SUSPICIOUS = re.compile(r"://|=|\s|[\x00-\x1f\x7f]|:.*@")
_LONGEST = 255


def target_of(conninfo: Any, kwargs: Any) -> Database:
    """Read the target of a pool from its arguments.

    Args:
        conninfo: a connection string, a URI, or a callable (psycopg_pool 3.3), which is not called.
        kwargs: keyword arguments for connect, or a callable, which is not called.

    Returns:
        What could be told safely; a conninfo that does not parse gives an empty Database.
    """
    try:
        return _read(conninfo, kwargs)
    except Exception:  # noqa: BLE001 - libpq's message quotes the string; a mapping of the application's may raise
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
