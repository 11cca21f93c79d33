"""Where a file of the program lies in the repository that the report is read in."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import PurePosixPath, PureWindowsPath

MOST_PARTS = 12


@lru_cache(maxsize=4096)
def in_repository(file: str) -> str:
    """A path relative to the working directory, with slashes.

    Args:
        file: as the program saw it, maybe in a container or on another system.

    Returns:
        Its longest end that is a file below the working directory; else the path without its root.
    """
    windows = "\\" in file or file[1:3] == ":/"
    pure = PureWindowsPath(file) if windows else PurePosixPath(file)
    parts = [part for part in pure.parts if part not in (pure.anchor, "..", ".")]
    for start in range(max(0, len(parts) - MOST_PARTS), len(parts)):
        candidate = "/".join(parts[start:])
        try:
            if os.path.isfile(candidate):
                return candidate
        except ValueError:
            break
    return "/".join(parts) or "unknown"
