"""Measure what ``ConnectionPool.__del__`` costs while the interpreter ends, and write it from there.

Since CPython 3.13 a pool's ``__del__`` waits 5 s for each thread (psycopg issue 954); since 3.14 it raises
PythonFinalizationError. That late, imports fail, locks may hang and module globals may be gone: the wrapper
holds in its closure all it needs, and the line was rendered by the verdict, with two gaps to fill.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.observe.patcher import AnyFunction, Patcher

# A thread that cannot be joined costs 5 s. On a busy machine anything takes a tenth of a second.
NOTICEABLE_S = 1.0


class FinalizerWatch:
    """The patches of ``ConnectionPool.__del__``, and of ``close``, which a subclass's ``__del__`` may call.

    Async pools have no ``__del__``.
    """

    def __init__(self, ledger: Ledger, part: Guard) -> None:
        self.ledger = ledger
        self.part = part

    def install(self, patches: Patcher) -> None:
        """Patch both."""
        import psycopg_pool

        patches.wrap(psycopg_pool.ConnectionPool, "__del__", self._measured)
        patches.wrap(psycopg_pool.ConnectionPool, "close", self._measured)

    def _measured(self, original: AnyFunction) -> AnyFunction:
        pools = self.ledger.pools
        part = self.part
        is_finalizing: Callable[[], bool] = sys.is_finalizing
        monotonic = time.monotonic
        noticeable_s = NOTICEABLE_S
        failures = Exception

        def measured(self_: Any, *args: Any, **kwargs: Any) -> Any:
            if not is_finalizing() or not part.enabled:
                return original(self_, *args, **kwargs)
            entry = pools.get(id(self_))
            if entry is None or entry.late is None or getattr(self_, "_closed", True):
                return original(self_, *args, **kwargs)
            late, entry.late = entry.late, None
            started = monotonic()
            kind = None
            try:
                return original(self_, *args, **kwargs)
            except BaseException as error:
                kind = type(error).__name__
                raise
            finally:
                try:
                    delay_s = monotonic() - started
                    if kind is not None or delay_s >= noticeable_s:
                        late(delay_s, kind)
                except failures:
                    pass

        return measured
