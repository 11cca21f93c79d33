"""Tell whose code a file is: the application's, an installed package's, the standard library's, psycopg's or ours."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache

_PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INSTALLED = ("site-packages", "dist-packages")


@lru_cache(maxsize=1024)
def code_owner(filename: str) -> str:
    """``application``, ``installed``, ``stdlib``, ``psycopg`` or ``agent``, by the file name of a code object."""
    if filename.startswith("<"):
        return "stdlib" if filename.startswith("<frozen ") else "application"
    path = os.path.abspath(filename)
    if path.startswith(_PACKAGE_DIR):
        return "agent"
    parts = path.split(os.sep)
    if any(part in ("psycopg_pool", "psycopg") for part in parts[:-1]) and path.startswith(_psycopg_dirs()):
        return "psycopg"
    if any(part in _INSTALLED for part in parts) or path.startswith(_installed_dirs()):
        return "installed"
    return "stdlib" if path.startswith(_stdlib_dirs()) else "application"


@lru_cache(maxsize=1)
def _stdlib_dirs() -> tuple[str, ...]:
    return tuple({os.path.abspath(sysconfig.get_path(key)) + os.sep for key in ("stdlib", "platstdlib")})


@lru_cache(maxsize=1)
def _installed_dirs() -> tuple[str, ...]:
    # Console scripts (gunicorn, django-admin) live in the scripts folder: they are not the application.
    keys = ("purelib", "platlib", "scripts")
    return tuple({os.path.abspath(sysconfig.get_path(key)) + os.sep for key in keys})


def _psycopg_dirs() -> tuple[str, ...]:
    found = []
    for name in ("psycopg_pool", "psycopg"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            found.append(os.path.dirname(os.path.abspath(file)) + os.sep)
    return tuple(found)
