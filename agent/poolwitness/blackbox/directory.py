"""The files of a directory of black boxes: opened without trust, left alone while their processes live."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from poolwitness.blackbox import format as layout
from poolwitness.blackbox import identity
from poolwitness.blackbox.archive import Archive
from poolwitness.blackbox.errors import Alive, Missing, Refused
from poolwitness.blackbox.identity import Identity


def paths(directory: str) -> list[str]:
    """The files that are called as black boxes are, sorted.

    Raises:
        OSError: the directory cannot be read.
    """
    return sorted(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(layout.SUFFIX))


def read(path: str) -> Archive:
    """The content of a dead process's file.

    Raises:
        Alive: its process is alive.
        Missing: it is gone.
        Unfinished: its process died while making it.
        Refused: it cannot be read, or is not what it should be.
    """
    named = _named(path)
    if named is not None and named.pid == os.getpid():
        # To open and close it here would give this process's own lock back.
        raise Alive("is this process's own")
    try:
        fd = _open(path)
    except FileNotFoundError as error:
        raise Missing("is gone") from error
    except OSError as error:
        raise Refused(f"cannot be opened: {error.strerror or error}") from error
    try:
        return _read(fd, named)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror or error}") from error
    finally:
        os.close(fd)


def _read(fd: int, named: Identity | None) -> Archive:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise Refused("is not a file")
    if _is_locked(fd):
        raise Alive("is held by a living process")
    wanted = layout.SIZE if found.st_size == layout.SIZE else layout.HEADER_ROOM
    try:
        archive = Archive(b"".join(_chunks(fd, wanted)), found.st_size)
    except Refused:
        if named is not None and named.is_alive():
            raise Alive("is the file of a living process") from None
        raise
    if archive.identity.is_alive():
        raise Alive("is the file of a living process")
    return archive


def _open(path: str) -> int:
    # O_NONBLOCK: a named pipe that somebody put there would be waited for.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, os.O_RDWR | flags)
    except (PermissionError, IsADirectoryError):
        return os.open(path, os.O_RDONLY | flags)


def _chunks(fd: int, left: int) -> Iterator[bytes]:
    while left and (chunk := os.read(fd, min(left, 1 << 20))):
        left -= len(chunk)
        yield chunk


def _is_locked(fd: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # opened for reading only, or a file system without locks
        try:
            fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def _named(path: str) -> Identity | None:
    """The process that a file's name tells of, as far as this system knows it."""
    parts = os.path.basename(path)[: -len(layout.SUFFIX)].split("-")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
        return None
    return identity.here(int(parts[0]), int(parts[1]))
