"""Read a black box: a snapshot of the last moment at which its process is known to have been alive."""

from __future__ import annotations

import time
from collections import defaultdict

from poolwitness.blackbox import documents
from poolwitness.blackbox import format as layout
from poolwitness.blackbox.archive import LATEST_MONO, Archive
from poolwitness.blackbox.contents import MOMENT, PoolDocument, ProcessDocument, Remains
from poolwitness.blackbox.errors import Refused
from poolwitness.model.records import CheckoutRecord, PoolRecord, Snapshot, WaitingRequest

# A request that was refused longer ago than this is an episode that was over.
QUIET_S = 60.0
# The clock may have been set back since.
CLOCKS_APART_S = 86400.0

_TAKEN = (layout.TAKEN_BY_THREAD, layout.TAKEN_BY_TASK)
_LOST = (layout.LOST_BY_THREAD, layout.LOST_BY_TASK, layout.LOST_CLOSED_BY_THREAD, layout.LOST_CLOSED_BY_TASK)
_LOST_FROM_OPEN = (layout.LOST_BY_THREAD, layout.LOST_BY_TASK)
_WAITING = (layout.WAITING_THREAD, layout.WAITING_TASK)
_IN_TASK = (layout.TAKEN_BY_TASK, layout.LOST_BY_TASK, layout.LOST_CLOSED_BY_TASK, layout.WAITING_TASK)


class _Holder:
    """One record of the table of holders."""

    def __init__(self, archive: Archive, number: int) -> None:
        at = layout.HOLDERS.at(number)
        name, self.since_mono, stack, self.state = layout.HOLD.unpack_from(archive.data, at)
        self.pool, self.id = layout.IDENTITY.unpack_from(archive.data, at + layout.IDENTITY_AT)
        seen_for, self.active_mono, self.seen = layout.SEEN.unpack_from(archive.data, at + layout.SEEN_AT)
        if not _is_moment(self.since_mono) or self.state not in (*_TAKEN, *_LOST, *_WAITING):
            raise Refused("is damaged: a connection is in no state that a connection can be in")
        if seen_for != self.since_mono or not _is_moment(self.active_mono):
            self.seen, self.active_mono = 0, self.since_mono
        self.name = name.rstrip(b"\0").decode("utf-8", "ignore")
        self.stack = archive.stack(stack)
        self.in_task = self.state in _IN_TASK

    def checkout(self, now_mono: float) -> CheckoutRecord:
        """The checkout that this record is of, at a moment."""
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


def remains_of(archive: Archive, path: str) -> Remains:
    """Everything that a file tells.

    Args:
        archive: the file's content.
        path: where it lies.

    Raises:
        Refused: something in it is not what a process would have written.
    """
    found = archive.documents()
    if layout.PROCESS not in found:
        raise Refused("is damaged: it does not say whose it is")
    process = documents.load(ProcessDocument, found.pop(layout.PROCESS), archive.stack)
    pools = {
        subject: documents.load(PoolDocument, content, archive.stack) for subject, content in sorted(found.items())
    }
    if any(subject != document.pool.info.id for subject, document in pools.items()):
        raise Refused("is damaged: a pool is not the one that it says it is")
    holders = _holders(archive)
    now_mono = max([archive.anchor_mono, *(holder.since_mono for holder in holders)])
    last_seen_at = archive.anchor_at + now_mono - archive.anchor_mono
    if last_seen_at > time.time() + CLOCKS_APART_S:
        raise Refused("is damaged: it tells of a time to come")
    by_pool: dict[int, list[_Holder]] = defaultdict(list)
    for holder in holders:
        if holder.pool in pools:
            by_pool[holder.pool].append(holder)
        elif holder.state not in _LOST:  # those of a pool that gave way stay behind
            raise Refused("is damaged: a connection is of no pool that it knows")
    dropped = archive.dropped()
    return Remains(
        path=path,
        identity=archive.identity,
        done=archive.done,
        made_at=archive.made_at,
        last_seen_at=last_seen_at,
        agent=process.agent,
        snapshot=Snapshot(
            taken_at=last_seen_at,
            taken_mono=now_mono,
            moment=MOMENT,
            process=process.process._replace(pid=archive.identity.pid),
            pools=tuple(
                _pool(document, by_pool[subject], now_mono, archive.identity.pid) for subject, document in pools.items()
            ),
            dropped_records=sum(dropped.values()),
            held_limit_s=process.held_limit_s,
        ),
        waiting=tuple(
            WaitingRequest(
                holder.pool, holder.stack, max(0.0, now_mono - holder.since_mono), holder.name, holder.in_task
            )
            for holder in holders
            if holder.state in _WAITING
        ),
        ignore=process.ignore,
        dropped=dropped,
    )


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
    waiting = sum(1 for holder in holders if holder.state in _WAITING)
    return pool._replace(
        life=pool.life._replace(inherited=pool.life.inherited or pool.info.pid != pid),
        checkouts=tuple(checkout for checkout in checkouts if not checkout.lost),
        lost=tuple(checkout for checkout in checkouts if checkout.lost),
        exhaustion=pool.exhaustion if now_mono - document.refused_mono <= QUIET_S else None,
        connects=connects,
        stats={**pool.stats, "requests_waiting": waiting},
    )
