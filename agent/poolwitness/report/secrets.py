"""The values that must not appear in a text about a pool, read from the pool itself when they are needed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from poolwitness.guards import let_pass
from poolwitness.report.redact import MASK, clean_text, scrub

_SECRET_KEYS = ("password", "sslpassword", "passfile", "oauth_client_secret")
LONGEST_ERROR = 300


def describe_error(pool: Any, error: BaseException) -> str:
    """An exception's text without secrets, for a report.

    Where the pool's conninfo cannot be read (it is a callable, or it does not parse, and then libpq quotes it) the
    text is not reported, only the type.

    Args:
        pool: the pool whose secrets must not appear; None when it is gone.
        error: what was raised; its text is not asked for twice.
    """
    if pool is None:
        return ""
    try:
        conninfo, kwargs = getattr(pool, "conninfo", ""), getattr(pool, "kwargs", None)
        if (conninfo and not isinstance(conninfo, str)) or callable(kwargs):
            return ""
        secrets = _secrets_of(conninfo, kwargs)
        text = str.__str__(str(error))
    except Exception as error:  # noqa: BLE001 - a __str__, a mapping or a property of the application's own
        let_pass(error)
        return ""
    return clean_text(" ".join(scrub(text, secrets).split()), LONGEST_ERROR) if secrets is not None else ""


def _secrets_of(conninfo: str, kwargs: Any) -> list[str] | None:
    secrets = [os.environ.get("PGPASSWORD", "")]
    if conninfo:
        from psycopg import conninfo as parser

        try:
            params = parser.conninfo_to_dict(conninfo)
        except Exception as error:  # noqa: BLE001 - libpq's message quotes the string
            let_pass(error)
            return None
        secrets += [str(params[key]) for key in _SECRET_KEYS if params.get(key)]
        if _is_misread(params):
            return None
    if isinstance(kwargs, Mapping):
        secrets += [str(kwargs[key]) for key in _SECRET_KEYS if kwargs.get(key)]
        inner = str(kwargs.get("dbname") or "")
        if "://" in inner or "=" in inner:  # libpq takes a whole conninfo there
            known = _secrets_of(inner, None)
            if known is None:
                return None
            secrets += [inner, *known]
        elif _is_misread(kwargs):
            return None
    found = {secret for secret in secrets if secret and secret != MASK}
    return sorted({spelled for secret in found for spelled in _spellings(secret)}, key=len, reverse=True)


def _is_misread(params: Mapping[str, Any]) -> bool:
    # A URI whose password has an unescaped / or @ in it: libpq reads the rest of the password as one of these.
    return any("@" in str(params.get(key) or "")[1:] for key in ("host", "port", "dbname"))


def _spellings(secret: str) -> tuple[str, ...]:
    # The text of an error may hold a secret as a URI, a conninfo, Python or JSON spells it.
    return (
        secret,
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
    )
