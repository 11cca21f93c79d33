"""Tell whose code a file is: the application's, an installed package's, the standard library's, psycopg's or ours.

A program that was packed into one file or folder has its code in other places: PyInstaller gives relative file names
and keeps packages and the application side by side, a zip archive (zipapp) keeps them side by side, pex puts each
wheel into a folder of its own, and shiv and virtual environments have ``site-packages``.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from typing import Any

_PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# The last two are the programs that unpack an archive of shiv and of pex.
_INSTALLED = frozenset({"site-packages", "dist-packages", "_bootstrap", ".bootstrap"})
_PSYCOPG = ("psycopg_pool", "psycopg")
# What the agent and psycopg need is installed wherever they are, also where no metadata of it was packed.
_REQUIRED = frozenset({"psutil", "psycopg_binary", "psycopg_c", "structlog", "typing_extensions"})


@lru_cache(maxsize=1024)
def code_owner(filename: str) -> str:
    """``application``, ``installed``, ``stdlib``, ``psycopg`` or ``agent``, by the file name of a code object."""
    if filename.startswith("<"):
        return "stdlib" if filename.startswith("<frozen ") else "application"
    if is_packed(filename):
        return _packed_owner(filename)
    path = os.path.abspath(filename)
    if path.startswith(_PACKAGE_DIR):
        return "agent"
    parts = path.split(os.sep)
    if any(part in _PSYCOPG for part in parts[:-1]) and path.startswith(_psycopg_dirs()):
        return "psycopg"
    if any(part in _INSTALLED or part.endswith(".whl") for part in parts[:-1]) or path.startswith(_installed_dirs()):
        return "installed"
    if path.startswith(_stdlib_dirs()):
        return "stdlib"
    if parts[-1] == "__main__.py" and "unzipped_pexes" in parts:  # what starts the application there
        return "installed"
    return "installed" if _is_installed_in_archive(path) else "application"


def is_packed(filename: str) -> bool:
    """Whether a file name is that of a module in a program that PyInstaller or the like has frozen: relative."""
    return bool(getattr(sys, "frozen", False)) and not os.path.isabs(filename)


def _packed_owner(filename: str) -> str:
    root = _root_of(filename)
    if root == "poolwitness":
        return "agent"
    if root in _PSYCOPG:
        return "psycopg"
    if root in sys.stdlib_module_names:
        return "stdlib"
    return "installed" if root in _REQUIRED or root.lower() in _packed_distributions() else "application"


def _root_of(inner: str) -> str:
    """The top-level module of a path within an archive."""
    return inner.replace("\\", "/").partition("/")[0].removesuffix(".py").removesuffix(".pyc")


@lru_cache(maxsize=1)
def _packed_distributions() -> frozenset[str]:
    try:
        return _distributions(os.listdir(getattr(sys, "_MEIPASS", "")))
    except OSError:
        return frozenset()


def _is_installed_in_archive(path: str) -> bool:
    for archive, importer in list(sys.path_importer_cache.items()):
        # A zip archive on sys.path; path_importer_cache has folders, too.
        files = getattr(importer, "_files", None)
        if isinstance(files, dict) and path.startswith(archive + os.sep):
            root = _root_of(path[len(archive) + 1 :])
            if os.path.join("_bootstrap", "__init__.py") in files:  # shiv's: the application has been unpacked
                return True
            return root in _REQUIRED or root.lower() in _archive_distributions(archive, importer)
    return False


_archives: dict[str, frozenset[str]] = {}


def _archive_distributions(archive: str, importer: Any) -> frozenset[str]:
    found = _archives.get(archive)
    if found is None:
        names = {str(name).replace("\\", "/").partition("/")[0] for name in list(importer._files)}
        found = _archives[archive] = _distributions(names)
    return found


def _distributions(names: Any) -> frozenset[str]:
    """The packages whose metadata is among names of files; a module that is called otherwise is not recognized."""
    return frozenset(name.partition("-")[0].lower() for name in names if name.endswith(".dist-info"))


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
    for name in _PSYCOPG:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            found.append(os.path.dirname(os.path.abspath(file)) + os.sep)
    return tuple(found)
