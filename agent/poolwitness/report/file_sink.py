"""Write events to a file, and follow its path when the file is rotated."""

from __future__ import annotations

import os
import stat

from poolwitness.model.startup import open_file
from poolwitness.report.descriptors import identity_of
from poolwitness.report.sinks import FdSink, Render


class FileSink(FdSink):
    """A file opened for append; ``%p`` in the path is the pid.

    Before each line the path is compared with the file that is open: one that was renamed or removed is opened anew, so
    that no line is written where no reader expects it. A file that was truncated goes on at its new end.

    Args:
        path: the file's.
        render: makes the bytes of an event.
        fd: its descriptor, if it was opened earlier in this process.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str, render: Render, fd: int | None = None) -> None:
        super().__init__(f"file:{path}", open_file(path) if fd is None else fd, render)
        # Absolute: the program may change its directory.
        self._pattern = os.path.abspath(path)

    def write(self, data: bytes, patience_s: float = 0.0) -> bool:
        """As of `FdSink.write`, into the file that is at the path now."""
        if not self._is_at_path():
            self._reopen()
        return super().write(data, patience_s)

    def _is_at_path(self) -> bool:
        try:
            found = os.stat(self._pattern.replace("%p", str(os.getpid())))
        except OSError:
            return False
        # A named pipe is opened once: reopening it may fail while it has no reader.
        return (found.st_dev, found.st_ino) == self.identity or not stat.S_ISREG(found.st_mode)

    def _reopen(self) -> None:
        try:
            fd = open_file(self._pattern)
        except OSError:  # as in a child that has become another user: the file that is open is better than none
            return
        self.close()
        self.fd, self.identity = fd, identity_of(fd)
