"""A temporary folder for the database: removed at the end or, after a kill, by the next report."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import time
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be renamed
    fcntl = None  # type: ignore[assignment]

PREFIX = "poolwitness-report-"
LOCK = "in-use"
YOUNG_S = 60.0  # a folder that is being created has no lock yet


class Workspace:
    """A temporary folder, locked for as long as this process uses it."""

    def __init__(self) -> None:
        remove_abandoned()
        self.folder = tempfile.mkdtemp(prefix=PREFIX)
        self._lock: IO[bytes] = open(os.path.join(self.folder, LOCK), "wb")  # noqa: SIM115 - open as long as the folder
        _lock(self._lock)

    def remove(self) -> None:
        """Remove the folder."""
        if fcntl is None:
            self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def remove_abandoned() -> None:
    """Remove the folders of reports that were killed: those of this user that no process has locked."""
    for folder in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{PREFIX}*")):
        try:
            old = time.time() - os.lstat(folder).st_mtime > YOUNG_S
            if old and not os.path.islink(folder) and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # of another user, or being removed by another report


def _is_abandoned(folder: str) -> bool:
    path = os.path.join(folder, LOCK)
    if fcntl is None:
        os.rename(path, path)
        return True
    if not hasattr(os, "getuid") or os.lstat(folder).st_uid != os.getuid():
        return False
    # An old folder without a lock file: the process was killed before it created the file.
    with open(path, "ab") as file:
        return _lock(file)


def _lock(file: IO[bytes]) -> bool:
    """Take the lock if it is free; the system releases it when the process ends."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
