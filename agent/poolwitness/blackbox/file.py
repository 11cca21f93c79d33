"""The file of a black box: made, reserved, locked and mapped; let go of without harm to anybody's descriptors."""

from __future__ import annotations

import errno
import mmap
import os
import sys
from typing import Any

from poolwitness.blackbox import format as layout
from poolwitness.blackbox.identity import Identity
from poolwitness.model.startup import clock

# A program that replaces itself (os.exec) keeps its pid and its start.
MOST_NAMES = 100
_NOT_SUPPORTED = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)

# A mapping closes its descriptor's number when it goes, whoever has that number by then: it must not go.
_kept: list[Any] = []


class BoxFile:
    """One mapped file of the layout's size, with its header written.

    Args:
        directory: where it is made; made itself if it is not there.
        identity: this process.

    Raises:
        OSError: the file cannot be made, or there is no room for it.
    """

    def __init__(self, directory: str, identity: Identity) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.path, self.fd = _create(directory, identity.name)
        try:
            _reserve(self.fd)
            _lock(self.fd)
            own_fd: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) and os.name != "nt" else {}
            self.map = mmap.mmap(self.fd, layout.SIZE, **own_fd)
        except BaseException:
            os.close(self.fd)
            os.unlink(self.path)
            raise
        found = os.fstat(self.fd)
        self.inode = found.st_dev, found.st_ino
        self._write_header(identity)

    def _write_header(self, identity: Identity) -> None:
        now, now_mono = clock.now(), clock.monotonic()
        self.anchored = 0
        self.anchor(now_mono, now)
        header = layout.HEADER.pack(
            layout.MAGIC,
            layout.VERSION,
            layout.SIZE,
            identity.pid,
            identity.namespace,
            identity.started,
            identity.boot,
            now,
            now_mono,
            *layout.tables(),
        )
        layout.HEADER_CHECK.pack_into(self.map, len(header), layout.check_of(header))
        # Without its magic it is a file that nobody finished.
        self.map[len(layout.MAGIC) : len(header)] = header[len(layout.MAGIC) :]
        self.map[: len(layout.MAGIC)] = layout.MAGIC

    def anchor(self, now_mono: float, now: float) -> None:
        """Note a moment by both clocks: the process was alive then."""
        other = 1 - self.anchored
        layout.ANCHOR.pack_into(self.map, layout.ANCHORS_AT[other], now_mono, now)
        self.map[layout.ANCHOR_CHOICE_AT] = other
        self.anchored = other

    def finish(self) -> None:
        """Mark the file as one whose process has said all it had to say, and remove it."""
        self.map[layout.DONE_AT] = layout.DONE
        if os.name == "nt":  # a file that is mapped cannot be removed there
            try:
                self.map.close()
            except (BufferError, ValueError):
                pass
        try:
            if os.stat(self.path).st_ino == self.inode[1]:
                os.unlink(self.path)
        except OSError:  # gone, or not ours to remove: its mark says enough
            pass

    def let_go(self) -> None:
        """Close the descriptor, if it still is ours; the mapping stays as long as somebody writes into it."""
        try:
            found = os.fstat(self.fd)
            ours = (found.st_dev, found.st_ino) == self.inode
            if ours:
                os.close(self.fd)
        except OSError:
            ours = False
        if not ours or sys.version_info < (3, 13):
            _kept.append(self.map)


def _create(directory: str, name: str) -> tuple[str, int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0)
    for number in range(1, MOST_NAMES):
        path = os.path.join(os.path.abspath(directory), name + (f"-{number}" if number > 1 else "") + layout.SUFFIX)
        try:
            return path, os.open(path, flags, 0o600)
        except FileExistsError:
            continue
    raise FileExistsError(errno.EEXIST, "there are too many files of this process", path)


def _reserve(fd: int) -> None:
    # A page of the mapping for which the disk has no room would kill the program with SIGBUS.
    reserve = getattr(os, "posix_fallocate", None)
    if reserve is not None:
        try:
            reserve(fd, 0, layout.SIZE)
            return
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
    zeros = bytes(64 * 1024)
    left = layout.SIZE
    while left:
        left -= os.write(fd, zeros[:left])


def _lock(fd: int) -> None:
    # Given back by the kernel when the process ends, seen through every pid namespace, not inherited by a fork.
    try:
        import fcntl

        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        pass
