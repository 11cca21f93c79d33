"""Detect adapters that are registered again on each checkout, instead of once in ``configure``."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

from poolwitness.ledger.connections import TrackedConnection
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.stacks import RawStack
from poolwitness.observe.call_site import nearest

# The same adapter at the same line on this many checkouts is a habit.
REPEATED = 5
MOST_LINES = 200


class _Registration:
    """One adapter that is registered at one line; the code object is kept alive, so that its id stays its own."""

    __slots__ = ("code", "count", "last_taken_mono")

    def __init__(self, code: CodeType | int, taken_mono: float) -> None:
        self.code = code
        self.count = 1
        self.last_taken_mono = taken_mono


class AdapterPatches:
    """The lines that run around ``AdaptersMap.register_dumper`` and ``register_loader``.

    Args:
        ledger: knows which adapters map belongs to a connection that is checked out, and passes on what is found.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._seen: dict[tuple[Any, ...], _Registration] = {}
        self._reported: set[tuple[Any, ...]] = set()

    def registering(self, _map: Any, _frame: FrameType | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An adapter is about to be registered; gives what for: a type, its name or its number."""
        return args[1] if len(args) > 1 else kwargs.get("cls", kwargs.get("oid"))

    def registered(self, adapters: Any, frame: FrameType | None, key: Any, _result: Any) -> None:
        """An adapter was registered."""
        connection = self._connection_of(adapters) if self.ledger.connections else None
        if connection is None:
            return
        line = nearest(frame)
        what = key if isinstance(key, (str, int)) else getattr(key, "__qualname__", "")
        seen_key = (id(line[0]), line[1], what)
        seen = self._seen.get(seen_key)
        if seen is None:
            if len(self._seen) < MOST_LINES:
                self._seen[seen_key] = _Registration(line[0], connection.taken_mono)
            return
        if seen.last_taken_mono == connection.taken_mono:
            return
        seen.count += 1
        seen.last_taken_mono = connection.taken_mono
        if seen.count >= REPEATED and seen_key[:2] not in self._reported:
            self._reported.add(seen_key[:2])
            self._repeated(connection, line, seen.count)

    def _repeated(self, connection: TrackedConnection, line: RawStack, count: int) -> None:
        pool = connection.pool
        if pool.adapters is None:
            pool.adapters = []
        pool.adapters.append((line, count))
        self.ledger.report_change(pool, "adapters_repeated")

    def _connection_of(self, adapters: Any) -> TrackedConnection | None:
        for connection in list(self.ledger.connections.values()):
            conn = connection.ref() if connection.taken_from is not None else None
            if conn is not None and getattr(conn, "_adapters", None) is adapters:
                return connection
        return None
