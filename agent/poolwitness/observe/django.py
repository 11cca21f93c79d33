"""Recognize a pool that Django created, by the alias of its database: often no line of the application did."""

from __future__ import annotations

import linecache
import os
import re
import sys
from types import FrameType

from poolwitness.model.locations import Frame

_MAKER = os.path.join("django", "db", "backends", "postgresql", "base.py")
_NEAR = 12


def alias_of_pool_in_creation(frame: FrameType | None) -> str:
    """The alias of the database for which Django is creating a pool; empty if it is not.

    Args:
        frame: the caller of the pool's constructor.
    """
    if "django.db.backends.postgresql.base" not in sys.modules:
        return ""
    for _ in range(_NEAR):
        if frame is None:
            break
        code = frame.f_code
        if code.co_name == "pool" and code.co_filename.endswith(_MAKER):
            alias = getattr(frame.f_locals.get("self"), "alias", "")
            return alias if isinstance(alias, str) else ""
        frame = frame.f_back
    return ""


def settings_line(alias: str) -> Frame | None:
    """The line of the settings that defines this database.

    Args:
        alias: its key in ``DATABASES``.
    """
    conf = sys.modules.get("django.conf")
    name = getattr(getattr(conf, "settings", None), "SETTINGS_MODULE", None)
    file = getattr(sys.modules.get(str(name)), "__file__", None)
    if not file:
        return None
    lines = linecache.getlines(file)
    wanted = re.compile(rf"""\s*["']{re.escape(alias)}["']\s*:|DATABASES\[["']{re.escape(alias)}["']\]""")
    databases = next((index for index, line in enumerate(lines) if line.startswith("DATABASES")), 0)
    found = next((index for index in range(databases, len(lines)) if wanted.match(lines[index])), databases)
    return Frame(os.path.abspath(file), found + 1, f"DATABASES[{alias!r}]", "application")
