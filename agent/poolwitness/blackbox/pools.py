"""Write pools: one document each, written again whenever something about the pool has changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from poolwitness.blackbox import documents
from poolwitness.blackbox import format as layout
from poolwitness.blackbox.documents import PoolDocument
from poolwitness.blackbox.writer import Writer
from poolwitness.guards import let_pass
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.records import PoolRecord, Snapshot, WorkerRecord

MOST_POOLS = 1000


class PoolDocuments:
    """The pools that have a document; *freeze* makes the record of a pool."""

    def __init__(self, freeze: Callable[[TrackedPool], PoolRecord]) -> None:
        self.freeze = freeze
        self.reset()

    def reset(self) -> None:
        """Start again with another writer."""
        # The pools that cannot connect, according to their documents.
        self.failing: set[int] = set()
        # Collected pools that are worth a report: the oldest is erased when there is no room.
        self._past: deque[int] = deque()

    def write(self, writer: Writer, pool: TrackedPool) -> None:
        """Write a pool as it is now."""
        generation = writer.generation()
        self._write(writer, generation, self.freeze(pool), _refused_mono(pool))

    def keep(self, writer: Writer, pool: TrackedPool) -> bool:
        """Write a pool unless it is written; False if it has no room."""
        if not writer.has(pool.id) and pool.name:
            self.write(writer, pool)
        return writer.has(pool.id)

    def swept(self, writer: Writer, generation: int, snapshot: Snapshot, pools: list[TrackedPool]) -> None:
        """Write those pools of a snapshot that have a document; *generation* was taken before the snapshot was."""
        refused = {pool.id: _refused_mono(pool) for pool in pools}
        for record in snapshot.pools:
            if writer.has(record.info.id):
                self._write(writer, generation, record, refused.get(record.info.id, 0.0))

    def collected(self, writer: Writer, pool: TrackedPool) -> None:
        """A pool was garbage-collected; if it was open or has lost connections, it stays as long as there is room."""
        if not writer.has(pool.id):
            return
        self.failing.discard(pool.id)
        if pool.life.dropped or pool.lost:
            self.write(writer, pool)
            self._past.append(pool.id)
        else:
            writer.erase(pool.id)

    def _write(self, writer: Writer, generation: int, pool: PoolRecord, refused_mono: float) -> None:
        (self.failing.add if pool.connects.failing else self.failing.discard)(pool.info.id)
        lean = pool._replace(
            life=pool.life._replace(retained_by=""),
            checkouts=(),
            lost=(),
            workers=tuple(map(_lean, pool.workers)),
        )
        data = documents.dump(PoolDocument(lean, refused_mono), writer.stack)
        if len(data) > layout.LONGEST:
            lean = lean._replace(misuse=lean.misuse._replace(faults=(), adapters=()))
            data = documents.dump(PoolDocument(lean, refused_mono), writer.stack)
        has_room = writer.has(pool.info.id) or writer.subjects <= MOST_POOLS or self._make_room(writer)
        while not (has_room and writer.write(pool.info.id, generation, data)):
            has_room = self._make_room(writer)
            if not has_room:
                writer.drop("pools")
                return

    def _make_room(self, writer: Writer) -> bool:
        try:
            writer.erase(self._past.popleft())
        except IndexError as error:
            let_pass(error)
            return False
        writer.drop("pools")
        return True


def _refused_mono(pool: TrackedPool) -> float:
    return float(pool.exhaustion.last_mono) if pool.exhaustion is not None else 0.0


def _lean(worker: WorkerRecord) -> WorkerRecord:
    return WorkerRecord(
        name=worker.name,
        role=worker.role,
        alive=worker.alive,
        error_type=worker.error_type,
        raised_at=worker.raised_at,
    )
