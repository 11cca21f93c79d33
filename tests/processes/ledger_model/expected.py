"""The model: what a ledger must say of one pool, kept by the test at the boundary of its own calls."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from poolwitness import agent
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedPool


@dataclass
class Held:
    """A connection that is out, and the thread or task that took it."""

    conn: Any
    holder: str


@dataclass
class Expected:
    """What is out of one pool, how many connections were lost, and the most that were out at once."""

    pool: Any
    out: list[Held] = field(default_factory=list)
    lost: int = 0
    peak: int = 0
    closed: bool = False

    def took(self, conn: Any, holder: str) -> None:
        """A connection was given to a holder."""
        self.out.append(Held(conn, holder))
        self.peak = max(self.peak, len(self.out))

    def entry(self) -> TrackedPool:
        """The ledger's side."""
        found = ledger().find(self.pool)
        assert found is not None, "the ledger does not know the pool"
        return found

    def compare(self) -> None:
        """Hold the ledger to the model.

        Raises:
            AssertionError: they differ.
        """
        entry = self.entry()
        entry.note_peak()
        seen = {id(slot.ref()): slot.holder.name if slot.holder is not None else "" for slot in entry.checkouts()}
        modelled = {id(held.conn): held.holder for held in self.out}
        assert seen == modelled, f"the ledger has {seen}, the model {modelled}"
        assert len(entry.lost) == self.lost
        assert entry.usage.peak == self.peak, f"the ledger saw {entry.usage.peak} out at once, the model {self.peak}"
        assert (entry.state == "closed") == self.closed


@contextmanager
def refused() -> Iterator[None]:
    """The pool refuses what is put back inside.

    Raises:
        AssertionError: it took it.
    """
    try:
        yield
    except ValueError:
        return
    raise AssertionError("the pool took it")


def ledger() -> Ledger:
    """The ledger of this process, with all that finalizers left taken in."""
    found = agent.current().ledger
    found.drain()
    return found


def is_whole() -> None:
    """No part of the agent has failed, and nothing that is known of a connection outlives it.

    Raises:
        AssertionError: one has, or something does.
    """
    failed = {part.name: part.failure for part in agent.current().guards if not part.enabled}
    assert not failed
    assert all(slot.ref() is not None for slot in ledger().connections.values())


def is_forgotten(entries: list[TrackedPool]) -> None:
    """Nothing is known any more of pools that are gone.

    Raises:
        AssertionError: something is.
    """
    gc.collect()
    agent.current().sweep.sweep()
    found = ledger()
    known = {id(entry) for entry in found.entries()}
    for entry in entries:
        assert entry.ref() is None, "somebody keeps the pool"
        assert not entry.checkouts()
        assert id(entry) not in known
        assert not [slot for slot in found.connections.values() if slot.pool is entry]
