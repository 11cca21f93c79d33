"""Notice adapters that are registered again on each checkout, instead of once in ``configure`` (PW204)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedConnection, TrackedPool
from poolwitness.ledger.stacks import RawStack
from poolwitness.observe.call_site import nearest
from poolwitness.observe.patcher import AnyFunction, Patcher

# The same adapter at the same line on this many checkouts is a habit.
REPEATED = 5
MOST_LINES = 200


class AdapterWatch:
    """The patches of ``AdaptersMap.register_dumper`` and ``register_loader``.

    Args:
        ledger: tells which adapters map belongs to a connection that is out.
        repeated: told of a line that registers the same adapters on checkout after checkout.
        part: the containment.
    """

    def __init__(self, ledger: Ledger, repeated: Callable[[TrackedPool, RawStack, int], None], part: Guard) -> None:
        self.ledger = ledger
        self.repeated = repeated
        self.part = part
        # (line, what) -> [count, last checkout, the line's code, which must live for its id to be its own]
        self._seen: dict[tuple[Any, ...], list[Any]] = {}
        self._told: set[tuple[Any, ...]] = set()

    def install(self, patches: Patcher) -> None:
        """Patch the map that every connection has one of."""
        from psycopg.adapt import AdaptersMap

        patches.wrap(AdaptersMap, "register_dumper", self._register)
        patches.wrap(AdaptersMap, "register_loader", self._register)

    def _register(self, original: AnyFunction) -> AnyFunction:
        def register(self_: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self_, key, *args, **kwargs)
            if self.part.enabled and self.ledger.slots:
                with self.part:
                    self._note(self_, key)
            return result

        return register

    def _note(self, adapters: Any, key: Any) -> None:
        slot = self._slot_of(adapters)
        if slot is None:
            return
        line = nearest(sys._getframe(2))
        what = key if isinstance(key, (str, int)) else getattr(key, "__qualname__", "")
        seen_key = (id(line[0]), line[1], what)
        seen = self._seen.get(seen_key)
        if seen is None:
            if len(self._seen) < MOST_LINES:
                self._seen[seen_key] = [1, slot.taken_mono, line[0]]
            return
        if seen[1] == slot.taken_mono:
            return
        seen[0] += 1
        seen[1] = slot.taken_mono
        told = seen_key[:2]
        if seen[0] >= REPEATED and told not in self._told:
            self._told.add(told)
            self.repeated(slot.entry, line, seen[0])

    def _slot_of(self, adapters: Any) -> TrackedConnection | None:
        for slot in list(self.ledger.slots.values()):
            conn = slot.ref() if slot.raw is not None else None
            if conn is not None and getattr(conn, "_adapters", None) is adapters:
                return slot
        return None
