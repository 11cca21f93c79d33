"""The door at which another process asks for the living state: a Unix socket of this process.

No signal is needed, so whatever the main thread does, a thread of ours that waits here can answer. On Linux the
socket has an abstract name: no file is left behind, and a service with a /tmp of its own is found as well.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import time
from collections.abc import Callable

from poolwitness.dump.address import Address, own_address
from poolwitness.guards import let_pass

# Programs that close every low descriptor, and then open their own, seldom get as far as this number.
HIGH_FD = 256
BACKLOG = 16
# An answer is JSON lines and then an empty line, which shows the reader that it has all of them.
END_OF_ANSWER = b"\n"
_OPENINGS = 3
_GONE = frozenset({errno.EBADF, errno.ENOTSOCK, errno.EINVAL, errno.EOPNOTSUPP})

_open_sockets: list[DumpSocket] = []
_registered: list[bool] = []


def peer_of(connection: socket.socket) -> tuple[int, int] | None:
    """The pid and the uid at the other end, as the kernel knows them; None where it does not tell (not Linux)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    pid, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("iII")))
    return pid, uid


class DumpSocket:
    """A listening socket, known again by its inode: a number that now means another file is not touched.

    Args:
        address: where; `own_address` by default.
    """

    def __init__(self, address: Address = "") -> None:
        self.address = address
        self.pid = 0
        self._listener: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._openings = 0

    @property
    def is_open(self) -> bool:
        """Whether somebody can come in."""
        listener = self._listener
        return listener is not None and self.pid == os.getpid() and _identity(listener.fileno()) == self._identity

    def fileno(self) -> int:
        """The descriptor; -1 where the door is shut."""
        return self._listener.fileno() if self._listener is not None else -1

    def open(self) -> bool:
        """Listen; False where this system or this process cannot."""
        if self.is_open:
            return True
        self._let_go()
        if not hasattr(socket, "AF_UNIX") or self._openings >= _OPENINGS:
            return False
        self._openings += 1
        _open_sockets.append(self)
        if not _registered and hasattr(os, "register_at_fork"):
            _registered.append(True)
            os.register_at_fork(after_in_child=_contained(_abandon_all))
        try:
            self.address = self.address or own_address()
            self._listen(self.address)
        except OSError as error:
            let_pass(error)
            self._let_go()
            return False
        return True

    def accept(self, timeout_s: float) -> socket.socket | None:
        """Let one process in that may ask.

        Args:
            timeout_s: seconds to wait for it.

        Returns:
            Its connection; None when the time is up, at a knock, or when whoever came may not ask.
        """
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
                self._let_go()
            else:  # no descriptor left, and whoever knocks is still there
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
        """Make `accept` return in the thread that waits there; takes no lock, so a signal handler may call it."""
        if self._listener is None or self.pid != os.getpid():
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
                visitor.setblocking(False)
                visitor.connect_ex(self.address)
        except OSError as error:
            let_pass(error)

    def close(self) -> None:
        """Shut the door and take its file away, where it has one."""
        if self._listener is not None and self.pid == os.getpid() and isinstance(self.address, str):
            try:
                os.unlink(self.address)
            except OSError as error:
                let_pass(error)
        self._let_go()

    def abandon(self) -> None:
        """In a forked child: give the parent's door back, which goes on listening in the parent."""
        self._let_go()

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

    def _let_go(self) -> None:
        listener, self._listener = self._listener, None
        if self in _open_sockets:
            _open_sockets.remove(self)
        if listener is None:
            return
        if _identity(listener.fileno()) == self._identity:
            listener.close()
        else:
            listener.detach()


def _contained(hook: Callable[[], None]) -> Callable[[], None]:
    def contained() -> None:
        try:
            hook()
        except Exception as error:  # noqa: BLE001 - the interpreter would print it, and the child has nothing to do with it
            let_pass(error)

    return contained


def _abandon_all() -> None:
    for each in list(_open_sockets):
        each.abandon()


def _raised(listener: socket.socket) -> socket.socket:
    """The same socket under a high number, where the limits allow it."""
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
