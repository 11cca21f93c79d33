"""Measure what ``ConnectionPool.__del__`` costs while the interpreter ends, and write it from there.

Since CPython 3.13 a pool's ``__del__`` waits 5 s for each thread (psycopg issue 954); since 3.14 it raises
PythonFinalizationError. By then imports fail, locks may hang and module globals may be gone: so ``__del__`` is wrapped
by hand, the wrapper holds all it needs in its closure, and the verdict has rendered the line with gaps to fill.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.model.startup import clock
from poolwitness.observe.patcher import AnyFunction

# A thread that cannot be joined costs 5 s. On a busy machine anything takes a tenth of a second.
NOTICEABLE_S = 1.0


class FinalizerPatches:
    """The wrapper of ``ConnectionPool.__del__``, and of ``close``, which a subclass's ``__del__`` may call.

    Async pools have no ``__del__``.
    """

    def __init__(self, ledger: Ledger, guard: Guard) -> None:
        self.ledger = ledger
        self.guard = guard

    def measured(self, original: AnyFunction) -> AnyFunction:
        """The wrapper of a method that may run while the interpreter ends."""
        pools = self.ledger.pools
        guard = self.guard
        is_finalizing: Callable[[], bool] = sys.is_finalizing
        monotonic = clock.monotonic
        noticeable_s = NOTICEABLE_S
        failures = Exception

        def measured(*args: Any, **kwargs: Any) -> Any:
            if not is_finalizing() or not guard.enabled or not args:
                return original(*args, **kwargs)
            tracked = pools.get(id(args[0]))
            if tracked is None or tracked.finalizer_notice is None or getattr(args[0], "_closed", True):
                return original(*args, **kwargs)
            notice, tracked.finalizer_notice = tracked.finalizer_notice, None
            started = monotonic()
            kind = None
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                kind = type(error).__name__
                raise
            finally:
                try:
                    delay_s = monotonic() - started
                    if kind is not None or delay_s >= noticeable_s:
                        notice(delay_s, kind)
                except failures:
                    pass

        return measured
