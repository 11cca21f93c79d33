"""The file of a black box: created, reserved, locked and written, without harm to the program's descriptors.

It is written by `pwrite` and not through a mapping: a page of a mapping that is missing, because the file was truncated
or its disk is gone, kills the process with SIGBUS, and a failed write is an error.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from poolwitness.blackbox import format as layout
from poolwitness.blackbox.identity import Identity
from poolwitness.guards import let_pass
from poolwitness.model.startup import clock

Write = Callable[[int, bytes], None]

# A program that replaces itself (os.exec) keeps its pid and its start time.
MOST_NAMES = 100
# Programs that close every low descriptor seldom get as far as this number.
HIGH_FD = 256
_NOT_SUPPORTED = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


class BlackBoxFile:
    """One file of the layout's size, with its header written.

    Args:
        directory: where it is created; created itself if it is not there.
        identity: this process.
        failed: called when the file can no longer be written.

    Raises:
        OSError: the file cannot be created, or there is no room for it.
    """

    def __init__(self, directory: str, identity: Identity, failed: Callable[[OSError], None]) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.path, self.fd = _create(directory, identity.name)
        self._failed = failed
        self._map: Any = None
        self._is_created = False
        try:
            _reserve(self.fd)
            self.fd = _raised(self.fd)
            _lock(self.fd)
            found = os.fstat(self.fd)
            self._inode = found.st_dev, found.st_ino
            if os.name == "nt":  # where a mapped file can be neither truncated nor removed
                import mmap

                self._map = mmap.mmap(self.fd, layout.SIZE)
                self.write: Write = _write_map(self._map)
            else:
                self.write = write_function(self.fd, self._fail)
            self._write_header(identity)
            self._is_created = True
        except BaseException:
            os.close(self.fd)
            os.unlink(self.path)
            raise

    def _write_header(self, identity: Identity) -> None:
        now, now_mono = clock.now(), clock.monotonic()
        self._anchored = 0
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
            *layout.SHAPE,
        )
        check = layout.HEADER_CHECK.pack(layout.check_of(header))
        # Without its magic it is an unfinished file.
        self.write(len(layout.MAGIC), header[len(layout.MAGIC) :] + check)
        self.write(0, layout.MAGIC)

    def anchor(self, now_mono: float, now: float) -> None:
        """Note a moment by both clocks: the process was alive then."""
        other = 1 - self._anchored
        self.write(layout.ANCHORS_AT[other], layout.ANCHOR.pack(now_mono, now))
        self.write(layout.ANCHOR_CHOICE_AT, bytes([other]))
        self._anchored = other

    def check(self) -> None:
        """Find what no write notices: that the file was truncated, replaced or removed."""
        try:
            if os.fstat(self.fd).st_size != layout.SIZE:
                raise OSError(errno.EIO, "it was truncated")
            if not self._is_at_its_path():
                raise OSError(errno.ENOENT, "it was replaced")
        except OSError as error:
            let_pass(error)
            self._fail(error)

    def finish(self) -> None:
        """Mark the file as one whose process has reported everything, and remove it."""
        try:
            if self._map is not None:
                self._map[layout.DONE_AT] = layout.DONE
                self._map.close()
            elif self._is_ours():
                os.pwrite(self.fd, bytes([layout.DONE]), layout.DONE_AT)
            if self._is_at_its_path():
                os.unlink(self.path)
        except (OSError, BufferError, ValueError) as error:  # it is gone, or not ours to remove: its mark is enough
            let_pass(error)

    def release(self) -> None:
        """Close the descriptor, if it still is this file's."""
        if self._is_ours():
            os.close(self.fd)

    def _fail(self, error: OSError) -> None:
        if not self._is_created:
            raise error
        self._failed(error)

    def _is_ours(self) -> bool:
        try:
            found = os.fstat(self.fd)
        except OSError as error:
            let_pass(error)
            return False
        return (found.st_dev, found.st_ino) == self._inode

    def _is_at_its_path(self) -> bool:
        return os.stat(self.path).st_ino == self._inode[1]


def write_function(fd: int, failed: Callable[[OSError], None]) -> Write:
    """What writes bytes at an offset; an error is passed to *failed* and not raised.

    The program may close the descriptor, and its number then means one of the program's files. So the file has a
    position that no other has, and each write compares that first.

    `os.pwrite` releases the GIL, and beside busy threads it takes milliseconds to get it back. The same calls through
    `ctypes.PyDLL` keep it. Where there is no ctypes, and on 32-bit systems, whose C libraries differ in the type of an
    offset, it is released.
    """
    position = os.lseek(fd, 1 << 31 | int.from_bytes(os.urandom(4), "little") >> 1, os.SEEK_SET)

    def write_or_explain(at: int, data: bytes) -> None:
        try:
            if os.lseek(fd, 0, os.SEEK_CUR) != position:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            if os.pwrite(fd, data, at) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            let_pass(error)
            failed(error)

    try:
        import ctypes

        if sys.maxsize < 2**32:
            return write_or_explain
        libc: Any = ctypes.PyDLL(None)
        lseek, pwrite = libc.lseek, libc.pwrite
        lseek.restype = pwrite.restype = ctypes.c_long
        pwrite.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long)
        # Made once: these conversions would be a quarter of a write.
        number, nothing, from_here = ctypes.c_int(fd), ctypes.c_long(0), ctypes.c_int(os.SEEK_CUR)
    except Exception as error:  # noqa: BLE001 - no libffi, no dynamic loading, no executable memory: whatever it is
        let_pass(error)
        return write_or_explain

    def write(at: int, data: bytes) -> None:
        size = len(data)
        if lseek(number, nothing, from_here) != position or pwrite(fd, data, size, at) != size:
            write_or_explain(at, data)

    return write


def _write_map(view: Any) -> Write:
    def write(at: int, data: bytes) -> None:
        view[at : at + len(data)] = data

    return write


def _create(directory: str, name: str) -> tuple[str, int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0)
    for number in range(1, MOST_NAMES):
        path = os.path.join(os.path.abspath(directory), name + (f"-{number}" if number > 1 else "") + layout.SUFFIX)
        try:
            return path, os.open(path, flags, 0o600)
        except FileExistsError as error:
            let_pass(error)
            continue
    raise FileExistsError(errno.EEXIST, "there are too many files of this process", path)


def _reserve(fd: int) -> None:
    # A disk that is full is reported now, not in the middle of the program.
    _expect_no_limit()
    reserve = getattr(os, "posix_fallocate", None)
    if reserve is not None:
        try:
            reserve(fd, 0, layout.SIZE)
            return
        except OSError as error:
            let_pass(error)
            if error.errno not in _NOT_SUPPORTED:
                raise
    zeros = bytes(64 * 1024)
    left = layout.SIZE
    while left:
        left -= os.write(fd, zeros[:left])


def _expect_no_limit() -> None:
    # To write beyond the limit raises SIGXFSZ, which ends a program that embeds Python without its signal handling.
    try:
        import resource
    except ImportError:  # Windows
        return
    if 0 <= resource.getrlimit(resource.RLIMIT_FSIZE)[0] < layout.SIZE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def _raised(fd: int) -> int:
    """The same file under a high descriptor, if the limits allow it."""
    try:
        import fcntl

        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
    except (ImportError, OSError) as error:
        let_pass(error)
        return fd
    os.close(fd)
    return high


def _lock(fd: int) -> None:
    # Released by the kernel when the process ends, visible through every pid namespace, not inherited by a fork.
    try:
        import fcntl

        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError) as error:
        let_pass(error)
