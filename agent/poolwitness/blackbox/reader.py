"""Read black box files: each becomes a snapshot of the last moment at which its process is known to have been alive.

Files are opened without trust, and those of running processes are left alone.
"""

from __future__ import annotations

import os
import stat
import time
from collections import defaultdict
from typing import NamedTuple

from poolwitness.blackbox import documents, identity
from poolwitness.blackbox import format as layout
from poolwitness.blackbox.archive import LATEST_MONO, Archive
from poolwitness.blackbox.documents import PoolDocument, ProcessDocument, Refused
from poolwitness.blackbox.identity import Identity
from poolwitness.model.records import CheckoutRecord, PoolRecord, Snapshot, WaitingRequest

MOMENT = "postmortem"
# A request that was refused longer ago than this belongs to an episode that was over.
QUIET_S = 60.0
# The clock may have been set back since.
CLOCKS_APART_S = 86400.0

_LOST_FROM_OPEN = (layout.LOST_BY_THREAD, layout.LOST_BY_TASK)
_LOST = (*_LOST_FROM_OPEN, layout.LOST_CLOSED_BY_THREAD, layout.LOST_CLOSED_BY_TASK)
_WAITING = (layout.WAITING_THREAD, layout.WAITING_TASK)
_STATES = (layout.TAKEN_BY_THREAD, layout.TAKEN_BY_TASK, *_LOST, *_WAITING)
_IN_TASK = (layout.TAKEN_BY_TASK, layout.LOST_BY_TASK, layout.LOST_CLOSED_BY_TASK, layout.WAITING_TASK)


class Alive(Refused):
    """A file whose process is running."""


class Missing(Refused):
    """A file that is not there any more."""


class DeadProcess(NamedTuple):
    """What one file contains.

    ``last_seen_at`` is the latest moment at which the process is known to have been alive, in seconds since the
    epoch; the snapshot is of that moment.
    """

    path: str
    identity: Identity
    made_at: float
    last_seen_at: float
    agent: str
    snapshot: Snapshot
    waiting: tuple[WaitingRequest, ...]
    ignore: tuple[str, ...]
    dropped: dict[str, int]


def paths(directory: str) -> list[str]:
    """The files of a directory that are named as black boxes are, sorted.

    Raises:
        OSError: the directory cannot be read.
    """
    return sorted(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(layout.SUFFIX))


def read(path: str) -> DeadProcess | None:
    """What a dead process left; None if it had reported everything itself.

    Raises:
        Alive: its process is running.
        Missing: it is gone.
        Unfinished: its process died while it created the file.
        Refused: it cannot be read, or has something in it that no process would have written.
    """
    named = identity.named_by(path)
    if named is not None and named.pid == os.getpid():
        # To open and close it here would release this process's own lock.
        raise Alive("is this process's own")
    try:
        fd = _open(path)
    except FileNotFoundError as error:
        raise Missing("is gone") from error
    except OSError as error:
        raise Refused(f"cannot be opened: {error.strerror or error}") from error
    try:
        archive = _archive(fd, named)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror or error}") from error
    finally:
        os.close(fd)
    return None if archive.done else content_of(archive, path)


def _open(path: str) -> int:
    # O_NONBLOCK: opening a named pipe would otherwise wait for its writer.
    flags = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        return os.open(path, os.O_RDWR | flags)
    except (PermissionError, IsADirectoryError):
        return os.open(path, os.O_RDONLY | flags)


def _archive(fd: int, named: Identity | None) -> Archive:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise Refused("is not a file")
    if is_locked(fd):
        raise Alive("is held by a running process")
    wanted = layout.SIZE if found.st_size == layout.SIZE else layout.HEADER_ROOM
    data = b""
    while len(data) < wanted and (chunk := os.read(fd, wanted - len(data))):
        data += chunk
    try:
        archive = Archive(data, found.st_size)
    except Refused:
        if named is not None and named.is_alive():
            raise Alive("is the file of a running process") from None
        raise
    if archive.identity.is_alive():
        raise Alive("is the file of a running process")
    return archive


def is_locked(fd: int) -> bool:
    """Whether a process has the file's lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH):
        try:
            fcntl.lockf(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # opened for reading only, or a file system without locks
            continue
        break
    return False


def content_of(archive: Archive, path: str) -> DeadProcess:
    """Everything that a file contains.

    Raises:
        Refused: something in it is not what a process would have written.
    """
    found = archive.documents()
    if layout.PROCESS not in found:
        raise Refused("is damaged: it does not name its process")
    process = documents.load(ProcessDocument, found.pop(layout.PROCESS), archive.stack)
    pools = {
        subject: documents.load(PoolDocument, content, archive.stack) for subject, content in sorted(found.items())
    }
    if any(subject != document.pool.info.id for subject, document in pools.items()):
        raise Refused("is damaged: a pool has the number of another")
    holders = _holders(archive)
    now_mono = max([archive.anchor_mono, *(holder.since_mono for holder in holders)])
    last_seen_at = archive.anchor_at + now_mono - archive.anchor_mono
    if last_seen_at > time.time() + CLOCKS_APART_S:
        raise Refused("is damaged: it is from the future")
    by_pool: dict[int, list[_Holder]] = defaultdict(list)
    for holder in holders:
        if holder.pool in pools:
            by_pool[holder.pool].append(holder)
        elif holder.state not in _LOST:  # those of a pool that was erased stay behind
            raise Refused("is damaged: a connection belongs to no pool in it")
    dropped, pid = archive.dropped(), archive.identity.pid
    return DeadProcess(
        path=path,
        identity=archive.identity,
        made_at=archive.made_at,
        last_seen_at=last_seen_at,
        agent=process.agent,
        snapshot=Snapshot(
            taken_at=last_seen_at,
            taken_mono=now_mono,
            moment=MOMENT,
            process=process.process._replace(pid=pid),
            pools=tuple(_pool(document, by_pool[subject], now_mono, pid) for subject, document in pools.items()),
            dropped_records=sum(dropped.values()),
            held_limit_s=process.held_limit_s,
        ),
        waiting=tuple(holder.request(now_mono) for holder in holders if holder.state in _WAITING),
        ignore=process.ignore,
        dropped=dropped,
    )


class _Holder:
    """One record of the table of holders."""

    def __init__(self, archive: Archive, number: int) -> None:
        at = layout.HOLDERS.at(number)
        name, self.since_mono, stack, self.state = layout.HOLD.unpack_from(archive.data, at)
        self.pool, self.id = layout.IDENTITY.unpack_from(archive.data, at + layout.IDENTITY_AT)
        seen_for, self.active_mono, self.seen = layout.SEEN.unpack_from(archive.data, at + layout.SEEN_AT)
        if not _is_moment(self.since_mono) or self.state not in _STATES:
            raise Refused("is damaged: a connection has an impossible state")
        if seen_for != self.since_mono or not _is_moment(self.active_mono):
            self.seen, self.active_mono = 0, self.since_mono
        self.name = name.rstrip(b"\0").decode("utf-8", "ignore")
        self.stack = archive.stack(stack)
        self.in_task = self.state in _IN_TASK

    def checkout(self, now_mono: float) -> CheckoutRecord:
        lost = self.state in _LOST
        until_mono = self.active_mono if lost else now_mono
        status = self.seen & ~layout.SEEN_GONE
        return CheckoutRecord(
            id=self.id,
            taken=self.stack,
            held_s=max(0.0, until_mono - self.since_mono),
            idle_s=max(0.0, until_mono - max(self.since_mono, self.active_mono)),
            holder=self.name,
            in_task=self.in_task,
            holder_alive=not lost and not self.seen & layout.SEEN_GONE,
            status="closed" if lost else layout.STATUSES[status] if status < len(layout.STATUSES) else "unknown",
            lost=lost,
            lost_from_open=self.state in _LOST_FROM_OPEN,
        )

    def request(self, now_mono: float) -> WaitingRequest:
        waited_s = max(0.0, now_mono - self.since_mono)
        return WaitingRequest(self.pool, self.stack, waited_s, self.name, self.in_task)


def _is_moment(mono: float) -> bool:
    return 0 <= mono < LATEST_MONO  # which NaN is not


def _holders(archive: Archive) -> list[_Holder]:
    first = layout.HOLDERS.offset + layout.STATE
    states = archive.data[first : layout.HOLDERS.end : layout.HOLDERS.size]
    found = [_Holder(archive, number) for number, state in enumerate(states) if state != layout.IN and number]
    return sorted(found, key=lambda holder: holder.since_mono)


def _pool(document: PoolDocument, holders: list[_Holder], now_mono: float, pid: int) -> PoolRecord:
    pool = document.pool
    connects = pool.connects
    if not connects.failing:
        connects = connects._replace(errors=())  # it connects again
    checkouts = [holder.checkout(now_mono) for holder in holders if holder.state not in _WAITING]
    return pool._replace(
        life=pool.life._replace(inherited=pool.life.inherited or pool.info.pid != pid),
        checkouts=tuple(checkout for checkout in checkouts if not checkout.lost),
        lost=tuple(checkout for checkout in checkouts if checkout.lost),
        exhaustion=pool.exhaustion if now_mono - document.refused_mono <= QUIET_S else None,
        connects=connects,
        stats={**pool.stats, "requests_waiting": len(holders) - len(checkouts)},
    )
