"""Write pools: a document each, anew whenever something about it has changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from poolwitness.blackbox import documents
from poolwitness.blackbox import format as layout
from poolwitness.blackbox.contents import PoolDocument
from poolwitness.blackbox.writer import Writer
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.records import PoolRecord, Snapshot, WorkerRecord

MOST_POOLS = 1000


class Pools:
    """The pools that have a document.

    Args:
        record: makes the frozen record of a pool.
    """

    def __init__(self, record: Callable[[TrackedPool], PoolRecord]) -> None:
        self.record = record
        self.reset()

    def reset(self) -> None:
        """Begin with another writer."""
        # Those that cannot connect, by their documents.
        self.failing: set[int] = set()
        # Those that are gone, but of which there is something to tell: the oldest gives way when there is no room.
        self._past: deque[int] = deque()

    def write(self, writer: Writer, entry: TrackedPool) -> None:
        """Write a pool as it is now."""
        generation = writer.generation()
        self._write(writer, generation, self.record(entry), _refused_mono(entry))

    def keep(self, writer: Writer, entry: TrackedPool) -> bool:
        """Write a pool unless it is written; False where it has no room."""
        if not writer.has(entry.id) and entry.name:
            self.write(writer, entry)
        return writer.has(entry.id)

    def write_all(self, writer: Writer, generation: int, snapshot: Snapshot, entries: list[TrackedPool]) -> None:
        """Write the pools of a snapshot that have a document already.

        Args:
            writer: where to.
            generation: taken before the snapshot was.
            snapshot: how the pools were.
            entries: the ledger's, for what no record has.
        """
        refused = {entry.id: _refused_mono(entry) for entry in entries}
        for pool in snapshot.pools:
            if writer.has(pool.info.id):
                self._write(writer, generation, pool, refused.get(pool.info.id, 0.0))

    def let_go(self, writer: Writer, entry: TrackedPool) -> None:
        """A pool was garbage-collected; it stays as long as there is room if it was open, or has lost connections."""
        if not writer.has(entry.id):
            return
        self.failing.discard(entry.id)
        if entry.life.dropped or entry.lost:
            self.write(writer, entry)
            self._past.append(entry.id)
        else:
            writer.erase(entry.id)

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
        room = writer.has(pool.info.id) or writer.subjects <= MOST_POOLS or self._make_room(writer)
        while not (room and writer.write(pool.info.id, generation, data)):
            room = self._make_room(writer)
            if not room:
                writer.drop("pools")
                return

    def _make_room(self, writer: Writer) -> bool:
        try:
            writer.erase(self._past.popleft())
        except IndexError:
            return False
        writer.drop("pools")
        return True


def _refused_mono(entry: TrackedPool) -> float:
    return float(entry.exhaustion.last_mono) if entry.exhaustion is not None else 0.0


def _lean(worker: WorkerRecord) -> WorkerRecord:
    return WorkerRecord(
        name=worker.name,
        role=worker.role,
        alive=worker.alive,
        error_type=worker.error_type,
        raised_at=worker.raised_at,
    )
