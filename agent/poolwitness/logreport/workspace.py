"""A folder for the table and for what is on its way there: gone at the end, and found again after a kill."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be moved
    fcntl = None  # type: ignore[assignment]

PREFIX = "poolwitness-report-"
LOCK = "in-use"
YOUNG_S = 60.0  # one that is being made has no lock yet


class Workspace:
    """A temporary folder, held by a lock for as long as this process uses it.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        clear_leftovers()
        self.folder = tempfile.mkdtemp(prefix=PREFIX)
        self._lock: IO[bytes] = open(os.path.join(self.folder, LOCK), "wb")  # noqa: SIM115 - open as long as the folder
        if fcntl is not None:
            _lock(self._lock)

    def remove(self) -> None:
        """Give the space back."""
        if fcntl is None:
            self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def clear_leftovers() -> None:
    """Remove the folders of reports that were killed: those of this user that no process has the lock of."""
    here = tempfile.gettempdir()
    try:
        names = [name for name in os.listdir(here) if name.startswith(PREFIX)]
    except OSError:
        return
    for name in names:
        folder = os.path.join(here, name)
        try:
            if time.time() - os.lstat(folder).st_mtime > YOUNG_S and not os.path.islink(folder) and _left(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # of another user, or being removed by another report


def _left(folder: str) -> bool:
    path = os.path.join(folder, LOCK)
    if fcntl is None:
        os.rename(path, path)
        return True
    if not hasattr(os, "getuid") or os.lstat(folder).st_uid != os.getuid():
        return False
    # Not made yet, and old: killed between the two.
    with open(path, "ab") as file:
        return _lock(file)


def _lock(file: IO[bytes]) -> bool:
    """Whether the lock was to be had: it goes with the process, however that ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
