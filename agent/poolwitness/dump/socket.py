"""The Unix socket at which another process asks for the live state.

No signal is needed: a thread of ours waits here and answers, whatever the main thread does. On Linux the socket has an
abstract name, so no file is left behind, and a service with a /tmp of its own is found, too.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import time

from poolwitness.dump.address import Address, own_address
from poolwitness.guards import let_pass

# Programs that close every low descriptor seldom get as far as this number.
HIGH_FD = 256
BACKLOG = 16
# An answer is JSON lines and then an empty line, which shows the reader that it is complete.
END_OF_ANSWER = b"\n"
_OPENINGS = 3
_GONE = frozenset({errno.EBADF, errno.ENOTSOCK, errno.EINVAL, errno.EOPNOTSUPP})

_open_sockets: list[DumpSocket] = []
_registered: list[bool] = []


def peer_of(connection: socket.socket) -> tuple[int, int] | None:
    """The pid and the uid at the other end, from the kernel; None if it does not give them (not Linux)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    pid, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("iII")))
    return pid, uid


class DumpSocket:
    """A listening socket, recognized by its inode: a descriptor that now means another file is not touched."""

    def __init__(self, address: Address = "") -> None:
        self.address = address
        self.pid = 0
        self._listener: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._openings = 0

    @property
    def is_open(self) -> bool:
        """Whether this process is listening."""
        listener = self._listener
        return listener is not None and self.pid == os.getpid() and _identity(listener.fileno()) == self._identity

    def fileno(self) -> int:
        """The descriptor; -1 if the socket is closed."""
        return self._listener.fileno() if self._listener is not None else -1

    def open(self) -> bool:
        """Listen; False if this system or this process cannot."""
        if self.is_open:
            return True
        self.abandon()
        if not hasattr(socket, "AF_UNIX") or self._openings >= _OPENINGS:
            return False
        self._openings += 1
        _open_sockets.append(self)
        if not _registered and hasattr(os, "register_at_fork"):
            _registered.append(True)
            os.register_at_fork(after_in_child=_abandon_all)
        try:
            self.address = self.address or own_address()
            self._listen(self.address)
        except OSError as error:
            let_pass(error)
            self.abandon()
            return False
        return True

    def accept(self, timeout_s: float) -> socket.socket | None:
        """The connection of a process that may ask; None when the time is up, after `wake`, or for any other."""
        listener = self._listener
        if listener is None or not self.is_open:
            return None
        try:
            listener.settimeout(max(0.0, timeout_s))
            connection, _ = listener.accept()
        except (TimeoutError, BlockingIOError) as error:
            let_pass(error)
            return None
        except OSError as error:
            let_pass(error)
            if error.errno in _GONE:
                self.abandon()
            else:  # no descriptor is left, and the connection is still pending
                time.sleep(min(0.2, timeout_s))
            return None
        try:
            peer = peer_of(connection)
        except OSError as error:
            let_pass(error)
            peer = (0, -1)
        if peer is None or (peer[0] != self.pid and peer[1] in (0, os.geteuid())):
            return connection
        connection.close()
        return None

    def wake(self) -> None:
        """Make `accept` return in the thread that waits in it; takes no lock, so a signal handler may call it."""
        if self._listener is None or self.pid != os.getpid():
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.setblocking(False)
                client.connect_ex(self.address)
        except OSError as error:
            let_pass(error)

    def close(self) -> None:
        """Stop listening, and remove the socket's file if it has one."""
        if self._listener is not None and self.pid == os.getpid() and isinstance(self.address, str):
            try:
                os.unlink(self.address)
            except OSError as error:
                let_pass(error)
        self.abandon()

    def _listen(self, address: Address) -> None:
        if isinstance(address, str):
            _prepare_folder(address)
        self._listener = _raised(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self._identity = _identity(self._listener.fileno())
        self.pid = os.getpid()
        self._listener.bind(address)
        if isinstance(address, str):
            os.chmod(address, 0o600)
        self._listener.listen(BACKLOG)

    def abandon(self) -> None:
        """Close the descriptor alone: in a forked child, the parent goes on listening."""
        listener, self._listener = self._listener, None
        if self in _open_sockets:
            _open_sockets.remove(self)
        if listener is None:
            return
        if _identity(listener.fileno()) == self._identity:
            listener.close()
        else:
            listener.detach()


def _abandon_all() -> None:
    try:
        for each in list(_open_sockets):
            each.abandon()
    except Exception as error:  # noqa: BLE001 - the interpreter would print it into the child's stderr
        let_pass(error)


def _raised(listener: socket.socket) -> socket.socket:
    """The same socket under a high descriptor, if the limits allow it."""
    try:
        import fcntl

        high = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
    except (ImportError, OSError):
        return listener
    listener.close()
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=high)


def _prepare_folder(path: str) -> None:
    folder = os.path.dirname(path)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError as error:
        let_pass(error)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise
    try:
        os.unlink(path)  # of a process that had our pid and was killed
    except FileNotFoundError as error:
        let_pass(error)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except (OSError, ValueError) as error:
        let_pass(error)
        return None
    return found.st_dev, found.st_ino
